# What a deployment decides. Only meta_access_token has to be told; terraform.tfvars.example shows the usual ones.

variable "meta_access_token" {
  description = "Access token of the dataset, from Events Manager. Kept in Secrets Manager or SSM, never in the state. null: you put it there by hand."
  type        = string
  sensitive   = true
  default     = null

  validation {
    condition     = var.meta_access_token == null || can(regex("^[!-~]{8,}$", var.meta_access_token))
    error_message = "meta_access_token holds a space or an odd character, or is too short: paste it without line breaks."
  }
}

variable "meta_app_secret" {
  description = "Secret of the app that the token belongs to, where it has Require App Secret. Kept beside the token. null: no proof is sent."
  type        = string
  sensitive   = true
  default     = null

  validation {
    condition     = var.meta_app_secret == null || can(regex("^[!-~]{8,}$", var.meta_app_secret))
    error_message = "meta_app_secret holds a space or an odd character, or is too short: paste it without line breaks."
  }
}

variable "meta_pixel_id" {
  description = "Dataset (pixel) id."
  type        = string
  default     = "1232612085335834"

  validation {
    condition     = can(regex("^[0-9]{1,20}$", var.meta_pixel_id))
    error_message = "meta_pixel_id is digits only, such as 1232612085335834."
  }
}

variable "meta_graph_version" {
  description = "Version of Meta's Graph API."
  type        = string
  default     = "v27.0"

  validation {
    condition     = can(regex("^v[0-9]{1,3}\\.[0-9]$", var.meta_graph_version))
    error_message = "meta_graph_version looks like v27.0."
  }
}

variable "graph_api_url" {
  description = "Where Meta is; another one only for tests against the stand-in."
  type        = string
  default     = "https://graph.facebook.com"

  validation {
    condition     = can(regex("^https://[^/?#@\\s]+$|^http://(127\\.0\\.0\\.1|localhost)(:[0-9]+)?$", var.graph_api_url))
    error_message = "graph_api_url is https, or http on loopback, without a path."
  }
}

variable "meta_test_event_code" {
  description = "Sends everything as test events; they count as real ones. Empty: off."
  type        = string
  default     = ""
}

variable "token_store" {
  description = "Where the token lies: secretsmanager (0.40 USD a month) or ssm (free)."
  type        = string
  default     = "secretsmanager"

  validation {
    condition     = contains(["secretsmanager", "ssm"], var.token_store)
    error_message = "token_store is secretsmanager or ssm."
  }
}

variable "delivery_mode" {
  description = "queue: durable before the answer, sent by the delivery function. direct: a try within 1.5 s first."
  type        = string
  default     = "queue"

  validation {
    condition     = contains(["queue", "direct"], var.delivery_mode)
    error_message = "delivery_mode is queue or direct."
  }
}

variable "stripe_webhook_secret" {
  description = "Signing secret of the Stripe webhook; several, comma-separated, while rotating. null: payments are refused."
  type        = string
  sensitive   = true
  default     = null

  validation {
    condition     = var.stripe_webhook_secret == null || can(regex("^[!-~]{8,}(, ?[!-~]{8,})*$", var.stripe_webhook_secret))
    error_message = "stripe_webhook_secret holds a line break or an odd character, or is too short: whsec_..., or null where there is none."
  }
}

variable "payment_secrets" {
  description = "What vouches for other providers' notices, and their API keys, by setting: { SHOPIFY_WEBHOOK_SECRET = \"...\" }."
  type        = map(string)
  sensitive   = true
  default     = {}

  validation {
    condition = alltrue([
      for name, value in var.payment_secrets : value != "" && can(regex(
        "^((PADDLE|LEMONSQUEEZY|RAZORPAY|SHOPIFY|WOOCOMMERCE|SQUARE|MOLLIE|DIGISTORE24|STANDARD)_WEBHOOK_SECRET|PAYPAL_WEBHOOK_ID|(STRIPE|MOLLIE)_API_KEY)$", name
      ))
    ])
    error_message = "payment_secrets are names of docs/payments.md such as SHOPIFY_WEBHOOK_SECRET, PAYPAL_WEBHOOK_ID, MOLLIE_API_KEY, each with a value; Stripe's is stripe_webhook_secret."
  }
  validation {
    condition     = !contains(keys(var.payment_secrets), "PAYPAL_WEBHOOK_ID") || length(var.payment_layers) > 0
    error_message = "PAYPAL_WEBHOOK_ID needs a layer with the package cryptography in payment_layers: see docs/aws.md."
  }
  validation {
    condition     = !contains(keys(var.payment_secrets), "SQUARE_WEBHOOK_SECRET") || contains(keys(var.payment_settings), "SQUARE_WEBHOOK_URL")
    error_message = "SQUARE_WEBHOOK_SECRET needs SQUARE_WEBHOOK_URL in payment_settings: Square signs the address, too."
  }
}

variable "payment_settings" {
  description = "What is said of those providers that is no secret: { SHOPIFY_ORDER_KEY = \"name\", SQUARE_WEBHOOK_URL = \"https://...\" }."
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([
      for name, value in var.payment_settings : value != "" && can(regex(
        "^((PADDLE|LEMONSQUEEZY|RAZORPAY|SHOPIFY|WOOCOMMERCE|SQUARE|MOLLIE|PAYPAL|DIGISTORE24|STANDARD)_ORDER_KEY|SQUARE_WEBHOOK_URL)$", name
      ))
    ])
    error_message = "payment_settings are SQUARE_WEBHOOK_URL and names such as SHOPIFY_ORDER_KEY, each with a value; Stripe's are stripe_order_key and stripe_payments."
  }
}

variable "payment_layers" {
  description = "Layers of the payment function, by ARN with version; PayPal's certificates need one with the package cryptography."
  type        = list(string)
  default     = []
}

variable "allowed_origins" {
  description = "Exact origins of the pages that may post, such as https://courses.example."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for origin in var.allowed_origins : can(regex("^https?://([^][/*?#@,:\\s]+|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?$", origin)) && try(tonumber(regex(":([0-9]+)$", origin)[0]), 1) <= 65535])
    error_message = "allowed_origins are exact: https://courses.example, no path, no wildcard."
  }
}

variable "courses" {
  description = "What is sold, by id; empty: every id is a course."
  type        = map(object({ title = string, category = string }))
  default     = {}
}

variable "mail_from" {
  description = "Sender of the contact form's mail, verified in SES: website@courses.example, or Website <website@courses.example>. Empty: no mail is sent."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^([^<>@]*<)?[^<>@,\\s]+@[^<>@,\\s]+>?$", var.mail_from))
    error_message = "mail_from is one address: website@courses.example, or Website <website@courses.example>."
  }
}

variable "mail_to" {
  description = "Who gets the contact form's mail; several addresses, comma-separated."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[^@]*[^<>@,\\s]+@[^<>@,\\s]+>?(\\s*,[^@]*[^<>@,\\s]+@[^<>@,\\s]+>?)*$", var.mail_to))
    error_message = "mail_to is an address, or several with commas: team@courses.example, desk@courses.example."
  }
  validation {
    condition     = (var.mail_to == "") == (var.mail_from == "")
    error_message = "mail_to and mail_from go together: without one of them no contact form is mailed."
  }
}

variable "default_country" {
  description = "Country of phone numbers without a calling code, two letters. Empty: none."
  type        = string
  default     = ""

  validation {
    # The countries of ISO 3166-1, as the functions know them: with another code they would not start.
    condition     = var.default_country == "" || contains(split(" ", "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UK UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"), upper(var.default_country))
    error_message = "default_country is a country's two letters such as DE."
  }
}

variable "aws_region" {
  description = "Region of everything."
  type        = string
  default     = "us-east-1"
}

variable "name_prefix" {
  description = "Stands before every name, so that several deployments live in one account."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[a-z0-9-]{0,20}$", var.name_prefix))
    error_message = "name_prefix is at most 20 of a-z, 0-9 and -."
  }
  validation {
    condition     = var.token_store != "ssm" || !can(regex("^(aws|ssm)", var.name_prefix))
    error_message = "name_prefix begins with aws or ssm, which AWS keeps for its own parameters: choose another, or token_store = \"secretsmanager\"."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(distinct([for key in keys(var.tags) : lower(key)])) == length(var.tags) && !anytrue([for key in keys(var.tags) : startswith(lower(key), "aws:")])
    error_message = "tags are keys that differ in more than case, as roles need it, and none begins with aws:."
  }
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds each role, where the account lets no role be made without one. null: none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/[^\\s]+$", var.permissions_boundary))
    error_message = "permissions_boundary is a policy's ARN, such as arn:aws:iam::123456789012:policy/boundary."
  }
}

variable "architecture" {
  description = "Processor of the functions, as built by build_lambda_package.sh --arch."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is arm64 or x86_64."
  }
}

variable "python_version" {
  description = "Lambda's runtime, as built by build_lambda_package.sh --python."
  type        = string
  default     = "3.13"

  validation {
    condition     = can(regex("^3\\.1[1-9]$", var.python_version))
    error_message = "python_version is 3.11 or newer."
  }
}

variable "package_folder" {
  description = "Where build_lambda_package.sh put the zips. null: lambda/dist of this repository."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days that logs are kept; they name events, no persons."
  type        = number
  default     = 14

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400], var.log_retention_days)
    error_message = "log_retention_days is one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400."
  }
}

variable "throttle_rate" {
  description = "Requests a second that the API takes, all routes together."
  type        = number
  default     = 100

  validation {
    condition     = var.throttle_rate >= 1 && var.throttle_rate <= 10000
    error_message = "throttle_rate is 1 to 10000."
  }
}

variable "throttle_burst" {
  description = "Requests that may come at once."
  type        = number
  default     = 200

  validation {
    condition     = var.throttle_burst >= 1 && var.throttle_burst <= 5000
    error_message = "throttle_burst is 1 to 5000."
  }
}

variable "batch_seconds" {
  description = "How long Lambda gathers messages before it calls the delivery function."
  type        = number
  default     = 5

  validation {
    condition     = var.batch_seconds >= 1 && var.batch_seconds <= 300
    error_message = "batch_seconds is 1 to 300."
  }
}

variable "most_deliveries" {
  description = "Delivery functions at once."
  type        = number
  default     = 5

  validation {
    condition     = var.most_deliveries >= 2 && var.most_deliveries <= 100
    error_message = "most_deliveries is 2 to 100."
  }
}

variable "alarm_email" {
  description = "Who hears of alarms. Empty: subscribe to the topic of the outputs yourself."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^[^<>@,\\s]+@[^<>@,\\s]+$", var.alarm_email))
    error_message = "alarm_email is one address; more of them subscribe to the topic of the outputs."
  }
}

variable "silence_hours" {
  description = "Alarm when no event was delivered for so many hours. 0: off."
  type        = number
  default     = 0

  validation {
    condition     = var.silence_hours >= 0 && var.silence_hours <= 24
    error_message = "silence_hours is 0 to 24."
  }
}
