# The token, its app's secret and the secrets of payment providers, by write-only arguments: they are in no state. The key that encrypts at
# rest.

locals {
  in_secrets_manager = var.token_store == "secretsmanager"
  has_app_secret     = nonsensitive(var.meta_app_secret != null)
  token_setting = merge(
    local.in_secrets_manager ? {
      META_ACCESS_TOKEN_SECRET_ARN = one(aws_secretsmanager_secret.token[*].arn)
      } : {
      META_ACCESS_TOKEN_PARAMETER = one(aws_ssm_parameter.token[*].name)
    },
    { for arn in aws_secretsmanager_secret.app[*].arn : "META_APP_SECRET_ARN" => arn },
    { for name in aws_ssm_parameter.app[*].name : "META_APP_SECRET_PARAMETER" => name },
  )
  may_read_token = [{
    Effect = "Allow"
    Action = local.in_secrets_manager ? "secretsmanager:GetSecretValue" : "ssm:GetParameter"
    Resource = concat(
      aws_secretsmanager_secret.token[*].arn, aws_secretsmanager_secret.app[*].arn,
      aws_ssm_parameter.token[*].arn, aws_ssm_parameter.app[*].arn,
    )
  }]
  has_payments = nonsensitive(length(var.payment_secrets) > 0)
  payment_setting = merge(
    { STRIPE_WEBHOOK_SECRET_ARN = aws_secretsmanager_secret.stripe.arn },
    local.has_payments ? { PAYMENT_SECRETS_ARN = one(aws_secretsmanager_secret.payments[*].arn) } : {},
    var.payment_settings,
  )
  may_read_payment_secrets = [{
    Effect   = "Allow"
    Action   = "secretsmanager:GetSecretValue"
    Resource = concat([aws_secretsmanager_secret.stripe.arn], aws_secretsmanager_secret.payments[*].arn)
  }]

  # A changed secret is a changed version; the digest of a random text tells nothing of it.
  token_version   = var.meta_access_token == null ? 1 : nonsensitive(parseint(substr(sha256(var.meta_access_token), 0, 7), 16))
  app_version     = var.meta_app_secret == null ? 1 : nonsensitive(parseint(substr(sha256(var.meta_app_secret), 0, 7), 16))
  payment_version = nonsensitive(parseint(substr(sha256(jsonencode(var.payment_secrets)), 0, 7), 16))
  stripe_version  = var.stripe_webhook_secret == null ? 1 : nonsensitive(parseint(substr(sha256(var.stripe_webhook_secret), 0, 7), 16))
}

resource "aws_secretsmanager_secret" "token" {
  #checkov:skip=CKV2_AWS_57:Meta has no way to rotate a token by program
  count = local.in_secrets_manager ? 1 : 0

  name                    = "${var.name_prefix}meta-access-token"
  description             = "Access token of dataset ${var.meta_pixel_id}"
  kms_key_id              = aws_kms_key.main.arn
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "token" {
  count = local.in_secrets_manager && nonsensitive(var.meta_access_token != null) ? 1 : 0

  secret_id                = aws_secretsmanager_secret.token[0].id
  secret_string_wo         = var.meta_access_token
  secret_string_wo_version = local.token_version
}

resource "aws_ssm_parameter" "token" {
  count = local.in_secrets_manager ? 0 : 1

  name             = "/${var.name_prefix}conversion-relay/meta-access-token"
  description      = "Access token of dataset ${var.meta_pixel_id}"
  type             = "SecureString"
  key_id           = aws_kms_key.main.arn
  value_wo         = coalesce(var.meta_access_token, "put-the-token-here")
  value_wo_version = local.token_version
}

resource "aws_secretsmanager_secret" "app" {
  #checkov:skip=CKV2_AWS_57:Meta has no way to rotate an app's secret by program
  count = local.in_secrets_manager && local.has_app_secret ? 1 : 0

  name                    = "${var.name_prefix}meta-app-secret"
  description             = "Secret of the app that the access token belongs to"
  kms_key_id              = aws_kms_key.main.arn
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "app" {
  count = local.in_secrets_manager && local.has_app_secret ? 1 : 0

  secret_id                = aws_secretsmanager_secret.app[0].id
  secret_string_wo         = var.meta_app_secret
  secret_string_wo_version = local.app_version
}

resource "aws_ssm_parameter" "app" {
  count = !local.in_secrets_manager && local.has_app_secret ? 1 : 0

  name             = "/${var.name_prefix}conversion-relay/meta-app-secret"
  description      = "Secret of the app that the access token belongs to"
  type             = "SecureString"
  key_id           = aws_kms_key.main.arn
  value_wo         = var.meta_app_secret
  value_wo_version = local.app_version
}

resource "aws_secretsmanager_secret" "stripe" {
  #checkov:skip=CKV2_AWS_57:Stripe has no way to rotate a signing secret by program
  name                    = "${var.name_prefix}stripe-webhook-secret"
  description             = "Signing secret of the Stripe webhook"
  kms_key_id              = aws_kms_key.main.arn
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "stripe" {
  count = nonsensitive(var.stripe_webhook_secret != null) ? 1 : 0

  secret_id                = aws_secretsmanager_secret.stripe.id
  secret_string_wo         = var.stripe_webhook_secret
  secret_string_wo_version = local.stripe_version
}

resource "aws_secretsmanager_secret" "payments" {
  #checkov:skip=CKV2_AWS_57:Payment providers have no way to rotate a signing secret by program
  count = local.has_payments ? 1 : 0

  name                    = "${var.name_prefix}payment-secrets"
  description             = "Signing secrets and API keys of payment providers, as JSON by setting"
  kms_key_id              = aws_kms_key.main.arn
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "payments" {
  count = local.has_payments ? 1 : 0

  secret_id                = aws_secretsmanager_secret.payments[0].id
  secret_string_wo         = jsonencode(var.payment_secrets)
  secret_string_wo_version = local.payment_version
}

resource "aws_kms_key" "main" {
  description             = "Conversion Relay: queues, tables, logs, secrets"
  enable_key_rotation     = true
  deletion_window_in_days = 7
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TheAccountDecides"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html: logs are told apart by context
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.aws_region}.${local.dns_suffix}" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${var.aws_region}:${local.account}:log-group:*" } }
      },
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
    ]
  })
}

resource "aws_kms_alias" "main" {
  name          = "alias/${var.name_prefix}conversion-relay"
  target_key_id = aws_kms_key.main.key_id
}
