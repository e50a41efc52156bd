# The five functions, each with a role and a log group of its own.

locals {
  package_folder = coalesce(var.package_folder, "${path.module}/../lambda/dist")
  built          = try(jsondecode(file("${local.package_folder}/built.json")), { architecture = var.architecture, python = var.python_version })
  direct         = var.delivery_mode == "direct"
  account        = data.aws_caller_identity.current.account_id
  partition      = data.aws_partition.current.partition
  dns_suffix     = data.aws_partition.current.dns_suffix # amazonaws.com, in China amazonaws.com.cn

  settings = {
    META_PIXEL_ID           = var.meta_pixel_id
    META_GRAPH_VERSION      = var.meta_graph_version
    META_GRAPH_URL          = var.graph_api_url
    META_TEST_EVENT_CODE    = var.meta_test_event_code
    RELAY_OUTBOX            = local.outbox
    RELAY_ALLOWED_ORIGINS   = join(",", var.allowed_origins)
    RELAY_DEFAULT_COUNTRY   = var.default_country
    RELAY_LOG_FORMAT        = var.log_format
    DELIVERY_MODE           = var.delivery_mode
    COURSES                 = length(var.courses) == 0 ? "" : jsonencode(var.courses)
    PYTHONDONTWRITEBYTECODE = "1"
  }
  registrations_setting = { REGISTRATIONS_TABLE = aws_dynamodb_table.registrations.name }

  may_queue = [{ Effect = "Allow", Action = "sqs:SendMessage", Resource = local.queue_arn }]
  may_register = [{
    Effect   = "Allow"
    Action   = ["dynamodb:PutItem", "dynamodb:GetItem"]
    Resource = aws_dynamodb_table.registrations.arn
  }]
  may_mark_paid = [
    { Effect = "Allow", Action = ["dynamodb:GetItem", "dynamodb:UpdateItem"], Resource = aws_dynamodb_table.registrations.arn },
    { Effect = "Allow", Action = "dynamodb:Query", Resource = "${aws_dynamodb_table.registrations.arn}/index/registration_id" },
  ]
  may_mail = var.mail_from == "" ? [] : [{
    Effect = "Allow"
    Action = "ses:SendEmail"
    # An identity with a default configuration set, as AWS's console makes them, is sent from with that set's permission, too.
    Resource  = [for kind in ["identity", "configuration-set"] : "arn:${local.partition}:ses:${var.aws_region}:${local.account}:${kind}/*"]
    Condition = { StringEquals = { "ses:FromAddress" = regex("[^<>\\s]+@[^<>\\s]+", var.mail_from) } }
  }]
  may_send_directly = local.direct ? local.may_read_token : []

  functions = {
    registration-handler = {
      environment = merge(local.registrations_setting, local.direct ? local.token_setting : {})
      may         = concat(local.may_queue, local.may_register, local.may_send_directly)
      memory      = 256
      timeout     = 10
    }
    contact-handler = {
      environment = merge({ MAIL_FROM = var.mail_from, MAIL_TO = var.mail_to }, local.direct ? local.token_setting : {})
      may         = concat(local.may_queue, local.may_mail, local.may_send_directly)
      memory      = 256
      timeout     = 10
    }
    payment-webhook = {
      environment = merge(local.registrations_setting, local.payment_setting)
      may         = concat(local.may_queue, local.may_mark_paid, local.may_read_payment_secrets)
      memory      = 256
      timeout     = 10
    }
    view-content-handler = {
      environment = local.direct ? local.token_setting : {}
      may         = concat(local.may_queue, local.may_send_directly)
      memory      = 256
      timeout     = 10
    }
    deliver-handler = {
      environment = merge(local.token_setting, { PURCHASE_TABLE = aws_dynamodb_table.purchases.name })
      may         = concat(local.may_deliver, local.may_read_token)
      memory      = 512
      timeout     = local.delivery_seconds
    }
  }
}

resource "aws_lambda_function" "function" {
  #checkov:skip=CKV_AWS_117:Meta is on the internet; a VPC would add a NAT gateway and no safety
  #checkov:skip=CKV_AWS_116:Callers are synchronous or SQS, which has its own dead letters
  #checkov:skip=CKV_AWS_272:The zip is built from this repository; its hash is in the plan
  #checkov:skip=CKV_AWS_115:The API is throttled and the queue's reader is limited; a reservation would take from others
  for_each = local.functions

  function_name    = "${var.name_prefix}${each.key}"
  description      = "Conversion Relay"
  role             = aws_iam_role.function[each.key].arn
  runtime          = "python${var.python_version}"
  architectures    = [var.architecture]
  handler          = "${each.key}.lambda_handler"
  filename         = "${local.package_folder}/${each.key}.zip"
  source_code_hash = try(filebase64sha256("${local.package_folder}/${each.key}.zip"), null)
  memory_size      = each.value.memory
  timeout          = each.value.timeout
  kms_key_arn      = aws_kms_key.main.arn
  layers           = each.key == "payment-webhook" ? var.payment_layers : []

  # The queue's reader has its own limit, and a reservation would make it compete with it.
  reserved_concurrent_executions = each.key == "deliver-handler" ? -1 : var.reserved_concurrency

  environment {
    variables = merge(
      { for name, value in merge(local.settings, local.choices) : name => value if value != "" },
      each.value.environment,
    )
  }

  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "WARN"
    log_group             = aws_cloudwatch_log_group.function[each.key].name
  }

  tracing_config {
    mode = "PassThrough"
  }

  lifecycle {
    precondition {
      condition     = fileexists("${local.package_folder}/${each.key}.zip")
      error_message = "${each.key}.zip is missing: run lambda/build_lambda_package.sh first."
    }
    precondition {
      condition     = local.built.architecture == var.architecture && local.built.python == var.python_version
      error_message = "The zips are for python${local.built.python} on ${local.built.architecture}: no function would start. Run lambda/build_lambda_package.sh with --arch and --python as architecture and python_version say."
    }
    precondition {
      # Lambda's limit is 4 kB; what is left is for addresses that are known when they are made.
      condition     = length(base64encode(join("", flatten([for name, value in merge(local.settings, local.choices) : [name, value]])))) * 3 / 4 <= 3400
      error_message = "courses, allowed_origins and the other settings are more than a function's environment holds (4 kB): leave courses empty, then every id is a course, or shorten their titles."
    }
  }

  depends_on = [aws_iam_role_policy.function]
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name                 = "${var.name_prefix}${each.key}"
  permissions_boundary = var.permissions_boundary
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name = "its-own-job"
  role = aws_iam_role.function[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(each.value.may, [
      { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = aws_kms_key.main.arn },
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.function[each.key].arn}:*"
      },
    ])
  })
}

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_338:Short on purpose: what is not kept cannot leak
  for_each = local.functions

  name              = "/aws/lambda/${var.name_prefix}${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.main.arn
}
