# What somebody should hear of, and a page to look at.

locals {
  metrics   = "${var.name_prefix}ConversionRelay"
  deliver   = aws_cloudwatch_log_group.function["deliver-handler"].name
  for_topic = [aws_sns_topic.alarms.arn]
  queue_dim = { QueueName = local.queue_name }
  dead_dim  = { QueueName = local.dead_name }
  sentences = {
    Delivered = "\"event sent successfully\""
    Failed    = "\"Failed to send Meta Conversions API\""
    Errors    = "\"Error sending Meta Conversions API\""
    TokenDead = "\"Meta refuses the access token\""
    # As good as dead: counted with it.
    TokenUnread = "\"The access token cannot be read; events wait\""
  }
  # With delivery_mode = "direct" those that answer visitors say the same sentences.
  direct_senders = local.direct ? ["registration-handler", "contact-handler", "view-content-handler"] : []
  said_directly = {
    for pair in setproduct(local.direct_senders, ["Delivered", "Failed", "Errors"]) : "${pair[0]}-${pair[1]}" => { function = pair[0], sentence = pair[1] }
  }
}

resource "aws_sns_topic" "alarms" {
  name              = "${var.name_prefix}conversion-relay-alarms"
  kms_master_key_id = aws_kms_key.main.id
}

resource "aws_sns_topic_subscription" "email" {
  count = var.alarm_email == "" ? 0 : 1

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

resource "aws_cloudwatch_log_metric_filter" "sentence" {
  for_each = local.sentences

  name           = "${var.name_prefix}${each.key}"
  log_group_name = local.deliver
  pattern        = each.value

  metric_transformation {
    name      = each.key == "TokenUnread" ? "TokenDead" : each.key
    namespace = local.metrics
    value     = "1"
  }
}

resource "aws_cloudwatch_log_metric_filter" "said_directly" {
  for_each = local.said_directly

  name           = "${var.name_prefix}${each.value.sentence}"
  log_group_name = aws_cloudwatch_log_group.function[each.value.function].name
  pattern        = local.sentences[each.value.sentence]

  metric_transformation {
    name      = each.value.sentence
    namespace = local.metrics
    value     = "1"
  }
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name_prefix}conversion-relay-dead-letters"
  alarm_description   = "Meta refuses events for good, or somebody else writes into the queue: conversion-relay dead list tells."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = local.dead_dim
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.for_topic
}

resource "aws_cloudwatch_metric_alarm" "queue_age" {
  alarm_name          = "${var.name_prefix}conversion-relay-queue-age"
  alarm_description   = "Events wait for more than ten minutes: Meta is away, or the token is dead."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = local.queue_dim
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 2
  threshold           = 600
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.for_topic
  ok_actions          = local.for_topic
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = local.functions

  alarm_name          = "${var.name_prefix}conversion-relay-errors-${each.key}"
  alarm_description   = "${each.key} fails: see its log group."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = "${var.name_prefix}${each.key}" }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.for_topic
}

# A function that cannot do its work answers 500 or 503 and ends well: that is no error of a function.
resource "aws_cloudwatch_metric_alarm" "refused_visitors" {
  alarm_name          = "${var.name_prefix}conversion-relay-5xx"
  alarm_description   = "The API answers with 5xx: the log groups of the functions say why."
  namespace           = "AWS/ApiGateway"
  metric_name         = "5xx"
  dimensions          = { ApiId = aws_apigatewayv2_api.site.id }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.for_topic
}

resource "aws_cloudwatch_metric_alarm" "token_dead" {
  alarm_name          = "${var.name_prefix}conversion-relay-token-dead"
  alarm_description   = "Meta refuses the access token, or it cannot be read; events wait. Put a new one into the token store."
  namespace           = local.metrics
  metric_name         = aws_cloudwatch_log_metric_filter.sentence["TokenDead"].metric_transformation[0].name
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.for_topic
}

resource "aws_cloudwatch_metric_alarm" "silence" {
  count = var.silence_hours == 0 ? 0 : 1

  alarm_name          = "${var.name_prefix}conversion-relay-silence"
  alarm_description   = "No event was delivered for ${var.silence_hours} hours."
  namespace           = local.metrics
  metric_name         = aws_cloudwatch_log_metric_filter.sentence["Delivered"].metric_transformation[0].name
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = var.silence_hours
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = local.for_topic
}

resource "aws_cloudwatch_dashboard" "main" {
  dashboard_name = "${var.name_prefix}conversion-relay"
  dashboard_body = jsonencode({
    widgets = [
      for n, widget in [
        { title = "What became of events", metrics = [for name in ["Delivered", "Failed", "Errors"] : [local.metrics, name]], stat = "Sum" },
        { title = "Waiting and dead", metrics = [for name in [local.queue_name, local.dead_name] : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name]], stat = "Maximum" },
        { title = "Age of the oldest waiting event (s)", metrics = [["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", local.queue_name]], stat = "Maximum" },
        { title = "Functions: errors", metrics = [for name in keys(local.functions) : ["AWS/Lambda", "Errors", "FunctionName", "${var.name_prefix}${name}"]], stat = "Sum" },
        { title = "Functions: duration (ms, 99 %)", metrics = [for name in keys(local.functions) : ["AWS/Lambda", "Duration", "FunctionName", "${var.name_prefix}${name}"]], stat = "p99" },
        { title = "API: requests by answer", metrics = [for name in ["Count", "4xx", "5xx"] : ["AWS/ApiGateway", name, "ApiId", aws_apigatewayv2_api.site.id]], stat = "Sum" },
        ] : {
        type       = "metric", x = 12 * (n % 2), y = 6 * floor(n / 2), width = 12, height = 6
        properties = { title = widget.title, metrics = widget.metrics, stat = widget.stat, period = 300, region = var.aws_region, view = "timeSeries" }
      }
    ]
  })
}
