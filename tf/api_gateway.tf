# The HTTP API: its routes, CORS, throttling.

locals {
  routes = {
    "POST /register"            = "registration-handler"
    "POST /contact"             = "contact-handler"
    "POST /payment-webhook"     = "payment-webhook"
    "POST /webhooks/{provider}" = "payment-webhook"
    "GET /webhooks/{provider}"  = "payment-webhook" # some providers try the address so before they take it
    "HEAD /webhooks/{provider}" = "payment-webhook"
    "POST /view-content"        = "view-content-handler"
  }
}

resource "aws_apigatewayv2_api" "site" {
  name          = "${var.name_prefix}conversion-relay"
  description   = "Conversion Relay: the course site's events"
  protocol_type = "HTTP"

  dynamic "cors_configuration" {
    for_each = length(var.allowed_origins) == 0 ? [] : [var.allowed_origins]

    content {
      allow_origins  = cors_configuration.value
      allow_methods  = ["POST"]
      allow_headers  = ["content-type"]
      expose_headers = ["x-relay-reason", "x-relay-policy"]
      max_age        = 7200
    }
  }
}

resource "aws_apigatewayv2_integration" "function" {
  for_each = toset(values(local.routes))

  api_id                 = aws_apigatewayv2_api.site.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.function[each.key].invoke_arn
  integration_method     = "POST"
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "route" {
  #checkov:skip=CKV_AWS_309:Visitors and payment providers have no AWS identity; origins and signatures are checked
  for_each = local.routes

  api_id    = aws_apigatewayv2_api.site.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.function[each.value].id}"
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.site.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = var.throttle_rate
    throttling_burst_limit = var.throttle_burst
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api.arn
    # No address, no body, no query: who visited is nobody's business here.
    format = jsonencode({
      at      = "$context.requestTime"
      route   = "$context.routeKey"
      status  = "$context.status"
      latency = "$context.responseLatency"
      error   = "$context.integrationErrorMessage"
    })
  }
}

resource "aws_cloudwatch_log_group" "api" {
  #checkov:skip=CKV_AWS_338:Short on purpose: what is not kept cannot leak
  name              = "/aws/apigateway/${var.name_prefix}conversion-relay"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.main.arn
}

resource "aws_lambda_permission" "api" {
  for_each = toset(values(local.routes))

  statement_id  = "http-api"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function[each.key].function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.site.execution_arn}/*/*"
}
