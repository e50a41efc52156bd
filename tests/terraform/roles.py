"""Each role may do its own job and nothing else: every action is tried with every role, under moto's IAM."""

import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

from tests.aws.standin import ACCOUNT, REGION, StandIn

Try = Callable[[Any], object]
HOST = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}"
QUEUE, DEAD = f"{HOST}/conversion-events", f"{HOST}/conversion-events-dead"
KEY = {"course_id": {"S": "x"}, "email": {"S": "y"}}
ACTIONS: dict[str, tuple[str, Try]] = {
    "queue an event": ("sqs", lambda sqs: sqs.send_message(QueueUrl=QUEUE, MessageBody="{}")),
    "bury an event": ("sqs", lambda sqs: sqs.send_message(QueueUrl=DEAD, MessageBody="{}")),
    "read the queue": ("sqs", lambda sqs: sqs.receive_message(QueueUrl=QUEUE)),
    "read the dead letters": ("sqs", lambda sqs: sqs.receive_message(QueueUrl=DEAD)),
    "read the token": ("secretsmanager", lambda s: s.get_secret_value(SecretId="meta-access-token")),
    "read Stripe's secret": ("secretsmanager", lambda s: s.get_secret_value(SecretId="stripe-webhook-secret")),
    "read a registration": ("dynamodb", lambda d: d.get_item(TableName="registrations", Key=KEY)),
    "write a registration": ("dynamodb", lambda d: d.put_item(TableName="registrations", Item=KEY)),
    "list registrations": ("dynamodb", lambda d: d.scan(TableName="registrations")),
    "read a purchase": ("dynamodb", lambda d: d.get_item(TableName="purchases", Key={"purchase": {"S": "x"}})),
    "delete a purchase": ("dynamodb", lambda d: d.delete_item(TableName="purchases", Key={"purchase": {"S": "x"}})),
    "change a function": ("lambda", lambda f: f.delete_function(FunctionName="contact-handler")),
    "list roles": ("iam", lambda iam: iam.list_roles()),
}
BY_RESOURCE = {"sqs"}
"""Of other services moto knows no resources, so there a right to one table or one secret counts as none: it can show
what a role may not do, not that it may do its job."""
SITE = {"queue an event"}
CUSTOMERS = {"read a registration", "write a registration"}
MAY = {
    "view-content-handler": SITE,
    "contact-handler": SITE,
    "registration-handler": SITE | CUSTOMERS,
    "payment-webhook": SITE | CUSTOMERS | {"read Stripe's secret"},
    "deliver-handler": SITE | {"bury an event", "read the queue", "read the token", "read a purchase"},
}


def wrong(aws: StandIn) -> list[str]:
    """What a role may and should not, or should and may not; empty when each does only its job."""
    clients = {name: _clients(aws, name) for name in MAY}
    _enforce(aws, "0")
    try:
        return [
            f"{role}: {action} {'is refused' if action in may else 'is allowed'}"
            for role, may in MAY.items()
            for action, (service, attempt) in ACTIONS.items()
            if (action not in may or service in BY_RESOURCE)
            and _is_allowed(attempt, clients[role][service]) != (action in may)
        ]
    finally:
        _enforce(aws, "inf")


def _clients(aws: StandIn, role: str) -> dict[str, Any]:
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
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


def _enforce(aws: StandIn, after: str) -> None:
    """moto checks policies and signatures after so many requests more."""
    request = urllib.request.Request(
        f"{aws.url}/moto-api/reset-auth", after.encode(), {"Content-Type": "text/plain"}, method="POST"
    )
    urllib.request.urlopen(request).close()
