"""An error that a job raises in another process comes back to who asked, as itself."""

import pickle

import pytest

from conversion_relay import errors
from conversion_relay.facebook_business.exceptions import EventRefused, FacebookRequestError

TOLD = ("missing", "custom_data.value", "a Purchase must carry its value")


@pytest.mark.parametrize("kind", [errors.InvalidEvent, errors.SignatureError, EventRefused])
def test_an_error_that_names_a_member_passes_a_process_pool(kind):
    """multiprocessing.Pool waits for ever for an error that cannot be read, and ProcessPoolExecutor breaks."""
    raised = kind(*TOLD)
    came = pickle.loads(pickle.dumps(raised))
    assert (type(came), str(came), vars(came)) == (kind, str(raised), vars(raised))


@pytest.mark.parametrize("kind", [errors.SettingsError, errors.OutboxUnavailable, errors.LeaseLost])
def test_so_does_one_of_a_text_alone(kind):
    assert str(pickle.loads(pickle.dumps(kind("the disk is full")))) == "the disk is full"


def test_a_handler_of_the_sdks_error_reads_status_and_message():
    """As public programs do: `error.body()["error"]["message"]`, and another try where the status is 500 or above."""
    error: FacebookRequestError = EventRefused(*TOLD)
    assert error.http_status() == 400
    assert error.body()["error"]["message"] == error.api_error_message() == f"{TOLD[1]}: {TOLD[2]}"
