"""An error that a job raises in another process comes back to who asked, as itself."""

import pickle
import traceback
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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


def variables_of(error: BaseException | None) -> str:
    """As a report of errors shows them: of each frame but the test's, also of the errors behind this one."""
    shown: list[str] = []
    while error is not None:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        shown += [repr(frame.f_locals) for frame in frames if not frame.f_code.co_name.startswith("test_")]
        error = error.__cause__ or error.__context__
    return "".join(shown)


def test_what_a_guarded_function_raises_leaves_its_variables_behind_and_keeps_its_lines():
    @errors.leaves_no_variables
    def door(event: str) -> int:
        try:
            return len(event) // 0
        except ZeroDivisionError as error:
            raise LookupError("no such thing") from error

    with pytest.raises(LookupError, match="no such thing") as raised:
        door("canary@example.org")
    assert traceback.extract_tb(raised.tb)[-1].name == "door"
    assert "canary" not in variables_of(raised.value)


def test_the_variables_of_a_caller_who_handled_an_error_of_their_own_stay():
    def theirs(order: str) -> None:
        raise KeyError

    @errors.leaves_no_variables
    def door(event: str) -> None:
        raise LookupError

    try:
        theirs("their own order")
    except KeyError:
        with pytest.raises(LookupError) as raised:
            door("canary@example.org")
    assert "their own order" in variables_of(raised.value) and "canary" not in variables_of(raised.value)


def test_their_variables_stay_where_their_error_passed_a_middleware_of_ours():
    def view(order: str) -> None:
        raise KeyError

    def passed_on() -> None:
        view("their own order")

    passing = passed_on.__code__.replace(co_filename=errors.__file__)
    passed_on.__code__ = passing

    @errors.leaves_no_variables
    def door(event: str) -> None:
        raise LookupError

    try:
        passed_on()
    except KeyError:
        with pytest.raises(LookupError) as raised:
            door("canary@example.org")
    assert "their own order" in variables_of(raised.value) and "canary" not in variables_of(raised.value)


def test_an_error_that_the_standard_library_caught_leaves_its_variables_behind():
    @errors.leaves_no_variables
    def door(event: str) -> None:
        ZoneInfo(event)

    with pytest.raises(ZoneInfoNotFoundError) as raised:
        door("canary@example.org/there")
    assert raised.value.__context__ is not None and "canary" not in variables_of(raised.value)
