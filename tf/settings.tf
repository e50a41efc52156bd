# What the operator decides about events, handed on to the functions under the names of docs/operations.md. A variable
# that is left empty leaves the default of the relay.

variable "trusted_proxies" {
  description = "Networks of proxies before the API (a CDN, a load balancer); their word on the visitor's address is believed."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for network in var.trusted_proxies : try(cidrsubnet(network, 0, 0) == network, false)])
    error_message = "trusted_proxies are networks such as 130.176.0.0/17, without bits of a host: 10.0.0.0/8, or 10.0.0.1/32."
  }
}

variable "viewer_header" {
  description = "A header in which those proxies say the visitor's address: CloudFront-Viewer-Address, CF-Connecting-IP."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9-]{0,60}$", var.viewer_header))
    error_message = "viewer_header is the name of a header."
  }
}

variable "consent" {
  description = "An event whose visitor said nothing: send, limited_data_use, withhold."
  type        = string
  default     = ""

  validation {
    condition     = contains(["", "send", "limited_data_use", "withhold"], var.consent)
    error_message = "consent is send, limited_data_use or withhold."
  }
}

variable "gpc" {
  description = "A browser that sends Global Privacy Control: limited_data_use, withhold, ignore."
  type        = string
  default     = ""

  validation {
    condition     = contains(["", "limited_data_use", "withhold", "ignore"], var.gpc)
    error_message = "gpc is limited_data_use, withhold or ignore."
  }
}

variable "public_events" {
  description = "What pages may send without a key; empty: the relay's own list."
  type        = list(string)
  default     = []
}

variable "held_events" {
  description = "Events that a person decides about when Meta may have them for two days; empty: Purchase."
  type        = list(string)
  default     = []
}

variable "variants" {
  description = "A second digest for cities and zips that Meta's page script hashes differently."
  type        = bool
  default     = false
}

variable "test_payments" {
  description = "Payments of the provider's test mode: ignore, test_code (with meta_test_event_code), send."
  type        = string
  default     = ""

  validation {
    condition     = contains(["", "ignore", "test_code", "send"], var.test_payments)
    error_message = "test_payments is ignore, test_code or send."
  }
}

variable "subscriptions" {
  description = "A subscription's first payment is a Purchase or a Subscribe."
  type        = string
  default     = ""

  validation {
    condition     = contains(["", "Purchase", "Subscribe"], var.subscriptions)
    error_message = "subscriptions is Purchase or Subscribe."
  }
}

variable "renewals" {
  description = "A subscription's later payments: send, ignore."
  type        = string
  default     = ""

  validation {
    condition     = contains(["", "send", "ignore"], var.renewals)
    error_message = "renewals is send or ignore."
  }
}

variable "refunds" {
  description = "Money that went back: ignore, event (a Refund that names its Purchase, where the notice names the order)."
  type        = string
  default     = ""

  validation {
    condition     = contains(["", "ignore", "event"], var.refunds)
    error_message = "refunds is ignore or event."
  }
}

variable "free_orders" {
  description = "An order that cost nothing: ignore, send (a Purchase of 0)."
  type        = string
  default     = ""

  validation {
    condition     = contains(["", "ignore", "send"], var.free_orders)
    error_message = "free_orders is ignore or send."
  }
}

variable "stripe_payments" {
  description = "Which kinds of Stripe's notices count: checkout, payment_intent, invoice."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for kind in var.stripe_payments : contains(["checkout", "payment_intent", "invoice", "refund", "charge"], kind)])
    error_message = "stripe_payments are some of checkout, payment_intent, invoice, refund, charge."
  }
}

variable "stripe_order_key" {
  description = "Places of the registration's id in Stripe's notices, such as metadata.registration_id."
  type        = list(string)
  default     = []
}

variable "log_format" {
  description = "How functions write their log: json or text."
  type        = string
  default     = "json"

  validation {
    condition     = contains(["json", "text"], var.log_format)
    error_message = "log_format is json or text."
  }
}

variable "reserved_concurrency" {
  description = "Most copies of each function that takes requests at once, taken from the account's; -1: no reservation."
  type        = number
  default     = -1

  validation {
    condition     = var.reserved_concurrency == -1 || var.reserved_concurrency >= 1
    error_message = "reserved_concurrency is -1 or at least 1."
  }
}

locals {
  choices = {
    RELAY_TRUSTED_PROXIES = join(",", var.trusted_proxies)
    RELAY_VIEWER_HEADER   = var.viewer_header
    RELAY_CONSENT         = var.consent
    RELAY_GPC             = var.gpc
    RELAY_PUBLIC_EVENTS   = join(",", var.public_events)
    RELAY_HOLD_LATE       = join(",", var.held_events)
    RELAY_VARIANTS        = var.variants ? "true" : ""
    RELAY_TEST_PAYMENTS   = var.test_payments
    RELAY_SUBSCRIPTIONS   = var.subscriptions
    RELAY_RENEWALS        = var.renewals
    RELAY_REFUNDS         = var.refunds
    RELAY_FREE_ORDERS     = var.free_orders
    STRIPE_PAYMENTS       = join(",", var.stripe_payments)
    STRIPE_ORDER_KEY      = join(",", var.stripe_order_key)
  }
}
