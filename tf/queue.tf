# Events on their way, hashed; and those that Meta refused for good.

locals {
  queue_name       = "${var.name_prefix}conversion-events"
  dead_name        = "${var.name_prefix}conversion-events-dead"
  queue_arn        = "arn:${local.partition}:sqs:${var.aws_region}:${local.account}:${local.queue_name}"
  dead_arn         = "arn:${local.partition}:sqs:${var.aws_region}:${local.account}:${local.dead_name}"
  outbox           = "sqs://sqs.${var.aws_region}.${local.dns_suffix}/${local.account}/${local.queue_name}?dead=${local.dead_name}"
  delivery_seconds = 60

  may_deliver = [
    {
      Effect   = "Allow"
      Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility", "sqs:SendMessage"]
      Resource = local.queue_arn
    },
    { Effect = "Allow", Action = "sqs:SendMessage", Resource = local.dead_arn },
    { Effect = "Allow", Action = ["dynamodb:GetItem", "dynamodb:UpdateItem"], Resource = aws_dynamodb_table.purchases.arn },
  ]
}

resource "aws_sqs_queue" "events" {
  name = local.queue_name
  # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html: while Lambda gathers, a message hides already.
  visibility_timeout_seconds = 6 * local.delivery_seconds + var.batch_seconds
  message_retention_seconds  = 4 * 86400
  kms_master_key_id          = aws_kms_key.main.arn
  # The delivery function buries what Meta refuses; this only catches what makes the function itself fail.
  redrive_policy = jsonencode({ deadLetterTargetArn = local.dead_arn, maxReceiveCount = 50 })

  depends_on = [aws_sqs_queue.dead]
}

resource "aws_sqs_queue" "dead" {
  name                       = local.dead_name
  visibility_timeout_seconds = 30
  message_retention_seconds  = 14 * 86400
  kms_master_key_id          = aws_kms_key.main.arn
  redrive_allow_policy       = jsonencode({ redrivePermission = "byQueue", sourceQueueArns = [local.queue_arn] })
}

resource "aws_lambda_event_source_mapping" "deliver" {
  event_source_arn                   = aws_sqs_queue.events.arn
  function_name                      = aws_lambda_function.function["deliver-handler"].arn
  batch_size                         = 1000
  maximum_batching_window_in_seconds = var.batch_seconds
  function_response_types            = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.most_deliveries
  }
}
