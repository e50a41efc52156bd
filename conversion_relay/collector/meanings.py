"""What each counter and histogram of `/metrics` tells, in a sentence: the HELP line beside it.

They are counted all over the program by name alone, so their sentences stand here, in one table. A gauge has its own
where it is made."""

MEANINGS = {
    "relay_ambiguous_late_total": "Events sent again so late after a lost answer that Meta may count them twice",
    "relay_ambiguous_total": "Events whose call to Meta ended without an answer, so that they are sent again",
    "relay_api_key_used_timestamp_seconds": "When an API key was used last, in Unix seconds; keys by their place",
    "relay_bot_events_total": "Events of browsers that say they are robots, by what was done with them",
    "relay_copies_refused_total": "Copies of events that the door of a further dataset refused",
    "relay_delivered_by_age_total": "Events delivered, by how old they were then",
    "relay_delivery_calls_total": "Turns of the delivery worker that called Meta",
    "relay_delivery_dead_total": "Events that became dead letters",
    "relay_delivery_delivered_total": "Events that Meta took",
    "relay_delivery_expired_total": "Events that grew too old for Meta while they waited, and are lost",
    "relay_delivery_held_total": "Events held because Meta may have had them for two days; a person decides",
    "relay_delivery_retried_total": "Tries of events that failed and wait for another one",
    "relay_delivery_suspected_total": "Events that may be what made Meta refuse a batch, and go alone from now on",
    "relay_delivery_withheld_total": "Events forgotten unsent because the setting for consent became stricter",
    "relay_amounts_left_out_total": "Amounts and currencies of pages that cannot be read, by reason; the event stayed",
    "relay_dead_total": "Events that Meta refused for good, by reason",
    "relay_events_accepted_total": "Events that the door took and made durable",
    "relay_events_duplicate_total": "Events that came again with the same dataset, name and id",
    "relay_events_rejected_total": "Events that the door refused, by reason",
    "relay_events_withdrawn_total": "Events that visitors took back before Meta had them",
    "relay_hosted_mirror_reports_total": "Pages that reported Meta's own hosted Conversions API beside the relay",
    "relay_intake_requests_total": "Requests by route and status",
    "relay_personal_data_removed_total": "Values taken out of events because they name a person, by where and what",
    "relay_send_duration_seconds": "Seconds that calls to Meta took",
    "relay_send_total": "Calls to Meta, by what came of them",
    "relay_view_content_rejected_total": "Events that /view-content refused, by reason",
    "relay_visitors_rejected_total": "Visits that /visitors refused, by reason",
    "relay_visitors_total": "Visits that pages told, and whether they were remembered",
    "relay_webhooks_total": "Payment notices, by provider, answer and reason",
    "relay_withdraw_rejected_total": "Requests that /withdraw refused, by reason",
}
