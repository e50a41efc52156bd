"""Each role may do its own job and nothing else: every action is tried with every role, under moto's IAM."""

from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

from tests.aws.standin import ACCOUNT, StandIn

Try = Callable[[Any], object]
REGION = "eu-central-1"
HOST = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}"
PREFIX = "shop-"
"""Before every name: what `make tf-check` applies has none of its variables at its default."""
QUEUE, DEAD = f"{HOST}/{PREFIX}conversion-events", f"{HOST}/{PREFIX}conversion-events-dead"
REGISTRATIONS, PURCHASES = f"{PREFIX}registrations", f"{PREFIX}purchases"
PURCHASE = {"purchase": {"S": "x"}}
BY_ID = {
    "IndexName": "registration_id",
    "KeyConditionExpression": "registration_id = :id",
    "ExpressionAttributeValues": {":id": {"S": "x"}},
}
APP = f"/{PREFIX}conversion-relay/meta-app-secret"
TOKEN, STRIPES = f"/{PREFIX}conversion-relay/meta-access-token", f"{PREFIX}stripe-webhook-secret"
PAYMENTS = f"{PREFIX}payment-secrets"
PAID = {"UpdateExpression": "SET paid_at = :at", "ExpressionAttributeValues": {":at": {"N": "1"}}}
MAIL = {
    "Destination": {"ToAddresses": ["team@courses.example"]},
    "Content": {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "b"}}}},
}
KEY = {"course_id": {"S": "x"}, "email": {"S": "y"}}
ACTIONS: dict[str, tuple[str, Try]] = {
    "queue an event": ("sqs", lambda sqs: sqs.send_message(QueueUrl=QUEUE, MessageBody="{}")),
    "bury an event": ("sqs", lambda sqs: sqs.send_message(QueueUrl=DEAD, MessageBody="{}")),
    "read the queue": ("sqs", lambda sqs: sqs.receive_message(QueueUrl=QUEUE)),
    "read the dead letters": ("sqs", lambda sqs: sqs.receive_message(QueueUrl=DEAD)),
    "read the token": ("ssm", lambda ssm: ssm.get_parameter(Name=TOKEN, WithDecryption=True)),
    "read the app's secret": ("ssm", lambda ssm: ssm.get_parameter(Name=APP, WithDecryption=True)),
    "read Stripe's secret": ("secretsmanager", lambda s: s.get_secret_value(SecretId=STRIPES)),
    "read the payment secrets": ("secretsmanager", lambda s: s.get_secret_value(SecretId=PAYMENTS)),
    "write a registration": ("dynamodb", lambda d: d.put_item(TableName=REGISTRATIONS, Item=KEY)),
    "read a registration": ("dynamodb", lambda d: d.get_item(TableName=REGISTRATIONS, Key=KEY)),
    "find a registration": ("dynamodb", lambda d: d.query(TableName=REGISTRATIONS, **BY_ID)),
    "mark a registration": ("dynamodb", lambda d: d.update_item(TableName=REGISTRATIONS, Key=KEY, **PAID)),
    "delete a registration": ("dynamodb", lambda d: d.delete_item(TableName=REGISTRATIONS, Key=KEY)),
    "list registrations": ("dynamodb", lambda d: d.scan(TableName=REGISTRATIONS)),
    "read a purchase": ("dynamodb", lambda d: d.get_item(TableName=PURCHASES, Key=PURCHASE)),
    "mark a purchase": ("dynamodb", lambda d: d.update_item(TableName=PURCHASES, Key=PURCHASE, **PAID)),
    "delete a purchase": ("dynamodb", lambda d: d.delete_item(TableName=PURCHASES, Key=PURCHASE)),
    "drop a table": ("dynamodb", lambda d: d.delete_table(TableName=REGISTRATIONS)),
    "mail as the site": ("sesv2", lambda ses: ses.send_email(FromEmailAddress="site@courses.example", **MAIL)),
    "mail as another": ("sesv2", lambda ses: ses.send_email(FromEmailAddress="ceo@courses.example", **MAIL)),
    "change the token": ("ssm", lambda ssm: ssm.put_parameter(Name=TOKEN, Value="x", Overwrite=True)),
    "change a secret": ("secretsmanager", lambda s: s.put_secret_value(SecretId=PAYMENTS, SecretString="x")),
    "list secrets": ("secretsmanager", lambda s: s.list_secrets()),
    "read a parameter": ("ssm", lambda ssm: ssm.get_parameter(Name="/another/token")),
    "change a function": ("lambda", lambda f: f.delete_function(FunctionName=f"{PREFIX}contact-handler")),
    "list roles": ("iam", lambda iam: iam.list_roles()),
}
SITE = {"queue an event", "read the token", "read the app's secret"}
"""With `delivery_mode = "direct"`, as `make tf-check` applies it."""
MAY = {
    "view-content-handler": SITE,
    "contact-handler": SITE | {"mail as the site"},
    "registration-handler": SITE | {"write a registration", "read a registration"},
    "payment-webhook": {"queue an event", "read a registration", "find a registration", "mark a registration"}
    | {"read Stripe's secret", "read the payment secrets"},
    "deliver-handler": SITE | {"bury an event", "read the queue", "read a purchase", "mark a purchase"},
}


def wrong(aws: StandIn) -> list[str]:
    """What a role may and should not, or should and may not; empty when each does only its job."""
    clients = {name: _clients(aws, name) for name in MAY}
    with aws.iam():
        return [
            f"{role}: {action} {'is refused' if action in may else 'is allowed'}"
            for role, may in MAY.items()
            for action, (service, attempt) in ACTIONS.items()
            if _is_allowed(attempt, clients[role][service]) != (action in may)
        ]


def _clients(aws: StandIn, role: str) -> dict[str, Any]:
    arn = f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}{role}"
    told = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="trial")["Credentials"]
    keys = {
        "aws_access_key_id": told["AccessKeyId"],
        "aws_secret_access_key": told["SecretAccessKey"],
        "aws_session_token": told["SessionToken"],
    }
    services = {service for service, _ in ACTIONS.values()}
    return {name: boto3.client(name, endpoint_url=aws.url, region_name=REGION, **keys) for name in services}


def _is_allowed(attempt: Try, client: Any) -> bool:
    try:
        attempt(client)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"] != 403 and "Denied" not in str(error)
    return True
