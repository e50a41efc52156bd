# Without AWS: what a plan holds, and which settings are refused.

mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/function" }
  }
  mock_resource "aws_lambda_function" {
    defaults = {
      arn        = "arn:aws:lambda:us-east-1:123456789012:function:f"
      invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:f/invocations"
    }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:q" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:g" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:s-AbCdEf", id = "arn:aws:secretsmanager:us-east-1:123456789012:secret:s-AbCdEf" }
  }
  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/t" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:t" }
  }
  mock_resource "aws_apigatewayv2_api" {
    defaults = { api_endpoint = "https://abc.execute-api.us-east-1.amazonaws.com", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:abc" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
}

variables {
  meta_access_token = "EAAtest-canary-token"
}

run "the_seeds_defaults" {
  command = apply

  assert {
    condition     = aws_lambda_function.function["registration-handler"].environment[0].variables.META_PIXEL_ID == "1232612085335834"
    error_message = "the pixel of the seed is the default"
  }
  assert {
    condition     = length(aws_lambda_function.function) == 5 && length(aws_apigatewayv2_route.route) == 7
    error_message = "five functions, seven routes"
  }
  assert {
    condition     = alltrue([for f in aws_lambda_function.function : !contains(keys(f.environment[0].variables), "META_ACCESS_TOKEN")])
    error_message = "no function has the token in its environment"
  }
  assert {
    condition     = aws_sqs_queue.events.visibility_timeout_seconds == 6 * aws_lambda_function.function["deliver-handler"].timeout + var.batch_seconds
    error_message = "a message is out of sight while Lambda gathers, and then for six times the function's time"
  }
  assert {
    condition     = length(aws_apigatewayv2_api.site.cors_configuration) == 0 && length(aws_cloudwatch_metric_alarm.silence) == 0
    error_message = "without origins no CORS; without hours no alarm for silence"
  }
}

run "origins_and_silence" {
  command = plan
  variables {
    allowed_origins = ["https://courses.example"]
    silence_hours   = 6
    alarm_email     = "ops@courses.example"
    name_prefix     = "shop-"
  }

  assert {
    condition     = tolist(aws_apigatewayv2_api.site.cors_configuration[0].allow_origins)[0] == "https://courses.example"
    error_message = "CORS comes from the variable"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.silence[0].evaluation_periods == 6 && length(aws_sns_topic_subscription.email) == 1
    error_message = "six silent hours are an alarm"
  }
  assert {
    condition     = aws_lambda_function.function["deliver-handler"].function_name == "shop-deliver-handler"
    error_message = "the prefix stands before every name"
  }
}

run "every_setting_but_the_default" {
  command = plan
  variables {
    trusted_proxies      = ["130.176.0.0/17", "10.0.0.0/8"]
    viewer_header        = "CloudFront-Viewer-Address"
    consent              = "withhold"
    gpc                  = "ignore"
    public_events        = ["PageView", "Lead"]
    held_events          = ["Purchase", "Subscribe"]
    variants             = true
    test_payments        = "test_code"
    meta_test_event_code = "TEST1"
    subscriptions        = "Subscribe"
    renewals             = "ignore"
    free_orders          = "send"
    stripe_payments      = ["checkout", "invoice"]
    stripe_order_key     = ["metadata.registration_id"]
    log_format           = "text"
    reserved_concurrency = 20
  }

  assert {
    condition = alltrue([
      for name, value in {
        RELAY_TRUSTED_PROXIES = "130.176.0.0/17,10.0.0.0/8", RELAY_VIEWER_HEADER = "CloudFront-Viewer-Address",
        RELAY_CONSENT         = "withhold", RELAY_GPC = "ignore", RELAY_PUBLIC_EVENTS = "PageView,Lead",
        RELAY_HOLD_LATE       = "Purchase,Subscribe", RELAY_VARIANTS = "true", RELAY_TEST_PAYMENTS = "test_code",
        RELAY_SUBSCRIPTIONS   = "Subscribe", RELAY_RENEWALS = "ignore", RELAY_FREE_ORDERS = "send",
        STRIPE_PAYMENTS       = "checkout,invoice", STRIPE_ORDER_KEY = "metadata.registration_id", RELAY_LOG_FORMAT = "text",
      } : aws_lambda_function.function["payment-webhook"].environment[0].variables[name] == value
    ])
    error_message = "every variable reaches the functions under the name of its setting"
  }
  assert {
    condition     = aws_lambda_function.function["payment-webhook"].reserved_concurrent_executions == 20 && aws_lambda_function.function["deliver-handler"].reserved_concurrent_executions == -1
    error_message = "who takes requests has the reservation"
  }
}

run "every_payment_provider" {
  command = plan
  variables {
    payment_secrets = {
      PADDLE_WEBHOOK_SECRET      = "a", LEMONSQUEEZY_WEBHOOK_SECRET = "a", RAZORPAY_WEBHOOK_SECRET = "a", SHOPIFY_WEBHOOK_SECRET = "a",
      WOOCOMMERCE_WEBHOOK_SECRET = "a", SQUARE_WEBHOOK_SECRET = "a", MOLLIE_WEBHOOK_SECRET = "a", MOLLIE_API_KEY = "a",
      STANDARD_WEBHOOK_SECRET    = "a", DIGISTORE24_WEBHOOK_SECRET = "a", PAYPAL_WEBHOOK_ID = "a", STRIPE_API_KEY = "a",
    }
    payment_settings = { SQUARE_WEBHOOK_URL = "https://courses.example/webhooks/square", SHOPIFY_ORDER_KEY = "name" }
    payment_layers   = ["arn:aws:lambda:us-east-1:123456789012:layer:cryptography:1"]
  }

  assert {
    condition     = length(aws_secretsmanager_secret.payments) == 1 && aws_lambda_function.function["payment-webhook"].environment[0].variables.SHOPIFY_ORDER_KEY == "name"
    error_message = "what is secret is kept; what is not stands in the environment"
  }
  assert {
    condition     = length(aws_lambda_function.function["payment-webhook"].layers) == 1 && length(aws_lambda_function.function["deliver-handler"].layers) == 0
    error_message = "the layer is the payment function's"
  }
  assert {
    condition     = !strcontains(nonsensitive(jsonencode(aws_lambda_function.function["contact-handler"].environment[0].variables)), "SHOPIFY")
    error_message = "who takes no payments knows nothing of them"
  }
}

run "payment_secrets_that_cannot_work_are_refused" {
  command = plan
  variables {
    payment_secrets = { PAYPAL_WEBHOOK_ID = "a", SQUARE_WEBHOOK_SECRET = "a", STRIPE_WEBHOOK_SECRET = "whsec_a" }
  }

  expect_failures = [var.payment_secrets]
}

run "a_secret_among_the_settings_is_refused" {
  command = plan
  variables {
    payment_settings = { SHOPIFY_WEBHOOK_SECRET = "a" }
  }

  expect_failures = [var.payment_settings]
}

run "the_token_in_a_parameter" {
  command = plan
  variables {
    token_store = "ssm"
  }

  assert {
    condition     = length(aws_secretsmanager_secret.token) == 0 && length(aws_ssm_parameter.token) == 1
    error_message = "one place, not two"
  }
}

run "what_is_malformed_is_refused" {
  command = plan
  variables {
    meta_access_token  = "two words"
    meta_pixel_id      = "pixel"
    graph_api_url      = "http://graph.example"
    allowed_origins    = ["https://*.example"]
    log_retention_days = 15
    architecture       = "sparc"
    trusted_proxies    = ["10.0.0.0"]
    consent            = "ask"
    gpc                = "obey"
    test_payments      = "yes"
    stripe_payments    = ["everything"]
    viewer_header      = "X Y"
  }

  expect_failures = [
    var.meta_access_token, var.meta_pixel_id, var.graph_api_url, var.allowed_origins, var.log_retention_days, var.architecture,
    var.trusted_proxies, var.consent, var.gpc, var.test_payments, var.stripe_payments, var.viewer_header,
  ]
}

run "more_courses_than_an_environment_holds" {
  command = plan
  variables {
    courses = { for n in range(60) : "course-${n}" => { title = "A title of some length ${n}", category = "education" } }
  }

  expect_failures = [aws_lambda_function.function]
}

run "in_another_partition_and_sent_directly" {
  command = plan
  variables {
    aws_region    = "cn-north-1"
    mail_from     = "Website <website@courses.example>"
    mail_to       = "Team <team@courses.example>, desk@courses.example"
    delivery_mode = "direct"
  }
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-cn", dns_suffix = "amazonaws.com.cn" }
  }

  assert {
    condition     = output.outbox == "sqs://sqs.cn-north-1.amazonaws.com.cn/123456789012/conversion-events?dead=conversion-events-dead"
    error_message = "the queue's host is the partition's"
  }
  assert {
    condition     = !strcontains(aws_kms_key.main.policy, "arn:aws:") && strcontains(aws_kms_key.main.policy, "\"logs.cn-north-1.amazonaws.com.cn\"")
    error_message = "the key is for this partition's log service"
  }
  assert {
    condition     = strcontains(jsonencode(local.may_mail), "\"website@courses.example\"") && strcontains(jsonencode(local.may_mail), ":configuration-set/*")
    error_message = "mail goes out under its address, with its configuration set"
  }
  assert {
    condition     = length(aws_cloudwatch_log_metric_filter.said_directly) == 9
    error_message = "what the functions send themselves is counted, else it is silence"
  }
}

run "what_the_functions_would_not_start_with_or_aws_not_make_is_refused" {
  command = plan
  variables {
    graph_api_url   = "https://user:word@graph.example"
    allowed_origins = ["https://user@shop.example"]
    trusted_proxies = ["10.0.0.1/8"]
    default_country = "EU"
    mail_from       = "a@courses.example, b@courses.example"
    alarm_email     = "a@courses.example, b@courses.example"
    name_prefix     = "aws-shop-"
    token_store     = "ssm"
  }

  expect_failures = [
    var.graph_api_url, var.allowed_origins, var.trusted_proxies, var.default_country, var.mail_from, var.name_prefix,
    var.alarm_email,
  ]
}

run "a_mail_to_nobody_is_refused" {
  command = plan
  variables {
    mail_from = "a@courses.example"
    mail_to   = "team at courses.example"
  }

  expect_failures = [var.mail_to]
}

run "half_of_the_mail_and_a_secret_that_is_none_are_refused" {
  command = plan
  variables {
    mail_from             = "a@courses.example"
    stripe_webhook_secret = ""
  }

  expect_failures = [var.mail_to, var.stripe_webhook_secret]
}

run "zips_of_another_runtime_are_refused" {
  command = plan
  variables {
    package_folder = "../packages"
  }

  expect_failures = [aws_lambda_function.function]
}

run "without_the_zips_it_says_what_to_do" {
  command = plan
  variables {
    package_folder = "nowhere"
  }

  expect_failures = [aws_lambda_function.function]
}

run "a_boundary_is_on_each_role_and_ours_is_no_second_application" {
  command = apply
  variables {
    permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
    tags                 = { application = "site", team = "courses" }
  }

  assert {
    condition     = length(aws_iam_role.function) == 5 && alltrue([for role in aws_iam_role.function : role.permissions_boundary == var.permissions_boundary])
    error_message = "the boundary is on every role"
  }
  assert {
    condition     = jsonencode(local.tags) == jsonencode({ application = "site", team = "courses" })
    error_message = "IAM takes Application and application for one key, and makes no role"
  }
}

run "tags_that_no_role_can_have_and_no_boundary_are_refused" {
  command = plan
  variables {
    tags                 = { team = "courses", Team = "courses" }
    permissions_boundary = "boundary"
  }

  expect_failures = [var.tags, var.permissions_boundary]
}
