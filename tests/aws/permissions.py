"""What moto's IAM lacks: which table, secret, parameter, function or address a call is about, and who a mail is from.

moto knows the resource of a call to SQS, STS and IAM; for other services it takes "*", which no statement about one
table or one secret matches, so a role could do nothing. With this its right to one resource is the right to that one.
"""

import json
import threading
from typing import Any

from moto.awslambda.responses import LambdaResponse
from moto.dynamodb.responses import DynamoHandler
from moto.iam.access_control import IAMPolicyStatement, IAMRequest
from moto.secretsmanager.responses import SecretsManagerResponse
from moto.sesv2.responses import SESV2Response
from moto.ssm.responses import SimpleSystemManagerResponse

_sender = threading.local()


def name_resources() -> None:
    """Patch moto, once or again."""
    DynamoHandler._determine_resource = _table
    SecretsManagerResponse._determine_resource = _secret
    SimpleSystemManagerResponse._determine_resource = _parameter
    SESV2Response._determine_resource = _address
    LambdaResponse._determine_resource = _function
    IAMPolicyStatement._check_conditions = _check_conditions
    IAMRequest.check_action_permitted = _check_action


def _arn(response: Any, service: str, name: str) -> str:
    return f"arn:aws:{service}:{response.region}:{response.current_account}:{name}"


def _table(self: Any) -> str:
    asked = json.loads(self.raw_body or "{}")
    puts = [next(iter(item.values())) for item in asked.get("TransactItems", ())]
    table = (puts[0] if puts else asked).get("TableName", "*")
    return _arn(self, "dynamodb", f"table/{table}" + (f"/index/{asked['IndexName']}" if "IndexName" in asked else ""))


def _secret(self: Any) -> str:
    asked = json.loads(self.raw_body or "{}").get("SecretId", "*")
    found = [one.arn for one in self.backend.secrets.values() if asked in (one.arn, one.name)] if asked != "*" else []
    return found[0] if found else "*"


def _parameter(self: Any) -> str:
    name = json.loads(self.raw_body or "{}").get("Name", "*")
    return name if name.startswith("arn:") else _arn(self, "ssm", f"parameter/{name.removeprefix('/')}")


def _address(self: Any) -> str:
    sender = json.loads(self.raw_body or "{}").get("FromEmailAddress", "")
    _sender.address = sender
    return _arn(self, "ses", f"identity/{sender.rpartition('@')[2]}")


def _function(self: Any) -> str:
    name = self.path.partition("/functions/")[2].split("/")[0]
    return _arn(self, "lambda", f"function:{name}") if name else "*"


_moto_checks, _moto_checks_action = IAMPolicyStatement._check_conditions, IAMRequest.check_action_permitted


def _check_action(self: Any, resource: str) -> None:
    """A batch, and a transaction of puts, needs the right to its one action; there is none to batches."""
    self._action = self._action.removesuffix("Batch").replace("TransactWriteItems", "PutItem")
    _moto_checks_action(self, resource)


def _check_conditions(self: Any, incoming: dict[str, str] | None) -> bool:
    """With the address that moto does not hand on: without it every condition holds."""
    sender = getattr(_sender, "address", "")
    return bool(_moto_checks(self, incoming or ({"ses:FromAddress": sender} if sender else None)))
