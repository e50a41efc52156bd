"""The five functions, their queue and tables on the stand-in, made by hand: what tf/ describes, without its minutes."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.aws.standin import ACCOUNT, REGION, StandIn

ROOT = Path(__file__).parents[2]
ROUTES = {
    "/register": "registration-handler",
    "/contact": "contact-handler",
    "/payment-webhook": "payment-webhook",
    "/webhooks/stripe": "payment-webhook",
    "/view-content": "view-content-handler",
}
TOKEN = "EAAaws-canary-token"
STRIPE_SECRET = "whsec_aws_canary"
HOST = f"sqs.{REGION}.amazonaws.com/{ACCOUNT}"


@cache
def build() -> Path:
    """The real zips, for this machine."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = ["./build_lambda_package.sh", "--arch", "x86_64", "--python", version]
    env = {"PATH": "/usr/bin:/bin:/usr/local/bin", "PYTHON": sys.executable, "HOME": str(Path.home())}
    subprocess.run(command, cwd=ROOT / "lambda", env=env, check=True, capture_output=True)
    return ROOT / "lambda" / "dist"


def deploy(aws: StandIn, graph_url: str, **environment: str) -> None:
    sqs = aws.client("sqs")
    dead = sqs.create_queue(QueueName="events-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 50})
    sqs.create_queue(QueueName="events", Attributes={"VisibilityTimeout": "360", "RedrivePolicy": redrive})
    _tables(aws)
    role = aws.client("iam").create_role(RoleName="function", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    secret = aws.client("secretsmanager").create_secret(Name="token", SecretString=TOKEN)["ARN"]
    common = {
        "META_PIXEL_ID": "1232612085335834",
        "META_GRAPH_URL": graph_url,
        "RELAY_OUTBOX": f"sqs://{HOST}/events",
        "REGISTRATIONS_TABLE": "registrations",
        "PURCHASE_TABLE": "purchases",
        "STRIPE_WEBHOOK_SECRET": STRIPE_SECRET,
        "RELAY_ALLOWED_ORIGINS": "https://courses.example",
        "MAIL_FROM": "site@courses.example",
        "MAIL_TO": "team@courses.example",
        "RELAY_LOG_FORMAT": "json",
        **environment,
    }
    aws.client("sesv2").create_email_identity(EmailIdentity="courses.example")
    for name in dict.fromkeys((*ROUTES.values(), "deliver-handler")):
        more = {"META_ACCESS_TOKEN_SECRET_ARN": secret} if name == "deliver-handler" else {}
        aws.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler=f"{name}.lambda_handler",
            Code={"ZipFile": (build() / f"{name}.zip").read_bytes()},
            Timeout=60 if name == "deliver-handler" else 10,
            Environment={"Variables": common | more},
        )
    source = sqs.get_queue_attributes(
        QueueUrl=sqs.get_queue_url(QueueName="events")["QueueUrl"], AttributeNames=["QueueArn"]
    )
    aws.client("lambda").create_event_source_mapping(
        EventSourceArn=source["Attributes"]["QueueArn"],
        FunctionName="deliver-handler",
        BatchSize=1000,
        MaximumBatchingWindowInSeconds=1,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    _http_api(aws)


def _tables(aws: StandIn) -> None:
    text, dynamodb = "S", aws.client("dynamodb")
    dynamodb.create_table(
        TableName="registrations",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "course_id", "KeyType": "HASH"},
            {"AttributeName": "email", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": text} for name in ("course_id", "email", "registration_id")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "registration_id",
                "KeySchema": [{"AttributeName": "registration_id", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    dynamodb.create_table(
        TableName="purchases",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "purchase", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "purchase", "AttributeType": text}],
    )


def _http_api(aws: StandIn) -> None:
    gateway = aws.client("apigatewayv2")
    api = gateway.create_api(Name="site", ProtocolType="HTTP")["ApiId"]
    for path, name in ROUTES.items():
        uri = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
        integration = gateway.create_integration(
            ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=uri, PayloadFormatVersion="2.0"
        )["IntegrationId"]
        gateway.create_route(ApiId=api, RouteKey=f"POST {path}", Target=f"integrations/{integration}")
