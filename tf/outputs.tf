output "view_content_endpoint" {
  description = "For viewContentEndpoint in meta-tracking.js."
  value       = "${aws_apigatewayv2_api.site.api_endpoint}/view-content"
}

output "api_endpoint" {
  description = "Before /register, /contact, /view-content and /payment-webhook."
  value       = aws_apigatewayv2_api.site.api_endpoint
}

output "payment_webhook_endpoint" {
  description = "For Stripe's webhook settings."
  value       = "${aws_apigatewayv2_api.site.api_endpoint}/payment-webhook"
}

output "outbox" {
  description = "RELAY_OUTBOX for `conversion-relay dead list` and `dead replay`."
  value       = local.outbox
}

output "alarm_topic" {
  description = "Subscribe here to hear of alarms."
  value       = aws_sns_topic.alarms.arn
}

output "log_groups" {
  description = "Where the three log sentences are."
  value       = { for name, group in aws_cloudwatch_log_group.function : name => group.name }
}
