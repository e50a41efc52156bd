"""What a person gives by mistake: a sentence and an exit code of the interface, never a traceback."""

import io
import json
import os
import resource
import signal
import sys

import apsw
import pytest

from conversion_relay.cli import main
from conversion_relay.cli.table.verdicts import Verdicts
from conversion_relay.outbox import open_outbox
from tests.failures.threads import no_more_threads

ROW = "Lead,a@b.example,2026-11-26T10:00:00Z\n"
NOT_UTF8 = os.fsdecode(b"registration_\xff")
NO_ADDRESSES = ("http://[", "http://127.0.0.1:99999/", "http://:8000/", "127.0.0.1:8000/webhooks/stripe")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """The exit code of a verb, and what it said."""
    for name in [name for name in os.environ if name.startswith(("META_", "RELAY_"))]:
        monkeypatch.delenv(name)
    settings = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "t", "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}
    open_outbox(settings["RELAY_OUTBOX"], ballast=False).close()
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "bytes").write_bytes(bytes(range(1, 256)) * 40)
    (tmp_path / "long.csv").write_text(f"event_name,email,event_time\n{'a' * 300_000},b,c\n")
    late = ROW * 8_000 + f'Lead,"{"a" * 1_200_000}\n'
    (tmp_path / "late.csv").write_text(f"event_name,email,event_time\n{late}")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **more: str) -> tuple[int, str]:
        for name, value in (settings | more).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["conversion-relay", *arguments])
        code = 0
        try:
            main()
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        return code, "".join(capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("explain", NOT_UTF8), 2, "not UTF-8"),
        *((("webhook", "send", "stripe", url), 2, "URL: an address such as") for url in NO_ADDRESSES),
        (("backup", "no-such-folder/copy.db"), 1, "cannot be written: No such file or directory"),
        (("restore", "bytes"), 78, "move it away first"),
        (("import", "long.csv"), 2, "say one of"),
        (("import", "late.csv", "--action-source", "website"), 1, "after row 8000 a cell is longer than 1,048,576"),
    ],
)
def test_a_mistake_is_a_sentence_and_an_exit_code(run, arguments, code, said):
    found, text = run(*arguments)
    assert (found, said in text) == (code, True), text


@pytest.mark.parametrize("arguments", [("deliver",), ("deliver", "--once")])
def test_a_machine_that_gives_no_threads_is_told_in_a_sentence(run, monkeypatch, arguments):
    monkeypatch.setattr("conversion_relay.cli.serve.spare_memory", lambda: None)
    before = signal.getsignal(signal.SIGTERM)
    with no_more_threads("signals", "delivery"):
        found, text = run(*arguments)
    assert (found, "raise this process's limit of processes" in text) == (1, True), text
    assert signal.getsignal(signal.SIGTERM) is before, "nobody would hear it"


@pytest.mark.parametrize("verb", ["status", "deliver --once", "backup copy.db", "restore empty", "dead list"])
def test_a_folder_is_no_outbox(run, verb):
    code, text = run(*verb.split(), RELAY_OUTBOX="sqlite:////")
    assert (code, text.partition(";")[0].strip()) == (78, "RELAY_OUTBOX: that is a folder")


@pytest.mark.parametrize("name", ["empty", "bytes"])
def test_what_is_no_outbox_is_neither_backed_up_nor_restored(run, tmp_path, name):
    place = f"sqlite:///{tmp_path}"
    for arguments, outbox in ((("backup", "copy.db"), name), (("restore", name), "new.db")):
        code, text = run(*arguments, RELAY_OUTBOX=f"{place}/{outbox}")
        assert code == 78 and f"{name} is no outbox: it is empty, or a file of something else" in text
    assert not (tmp_path / "copy.db").exists() and not (tmp_path / "new.db").exists()


def test_a_copy_is_not_restored_into_a_folder_that_is_not_there(run, tmp_path):
    assert run("backup", "copy.db")[0] == 0
    code, text = run("restore", "copy.db", RELAY_OUTBOX=f"sqlite:///{tmp_path}/no/such/outbox.db")
    assert code == 1 and "cannot be written: No such file or directory" in text


def test_a_file_that_may_not_be_read_is_named(run, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "late.csv")

    monkeypatch.setattr("conversion_relay.cli.importing.head_of", refuse)
    assert run("import", "late.csv") == (1, "late.csv: Permission denied\n")


def test_a_verdict_file_that_may_not_be_written_is_told_with_the_option_for_another(run, monkeypatch, tmp_path):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "sales.csv.verdicts.csv")

    (tmp_path / "sales.csv").write_text(f"event_name,email,event_time\n{ROW}")
    monkeypatch.setattr("conversion_relay.cli.importing.Verdicts", refuse)
    code, text = run("import", "sales.csv", "--action-source", "website")
    assert code == 2 and "sales.csv.verdicts.csv may not be written by this user; --verdicts" in text


def test_of_several_files_the_one_that_cannot_grow_is_named(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Verdicts(tmp_path / "sales.verdicts", "a mark") as verdicts:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        try:
            with pytest.raises(OSError, match=r"sales\.verdicts"):
                verdicts.write([(1, "accepted", "purchase_1", "", "", "")] * 100)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_copy_is_not_put_under_the_log_of_another_outbox(run, tmp_path):
    """Of an outbox that was moved away without its log, which holds what was accepted last."""
    assert run("backup", "copy.db")[0] == 0
    (tmp_path / "outbox.db").rename(tmp_path / "old.db")
    (log := tmp_path / "outbox.db-wal").write_bytes(b"pages of the other one")
    code, text = run("restore", "copy.db")
    assert code == 78 and "outbox.db-wal exists" in text and not (tmp_path / "outbox.db").exists()
    log.rename(tmp_path / "old.db-wal")
    assert run("restore", "copy.db")[0] == 0


def test_a_copy_that_cannot_be_made_is_not_said_to_be_tried_again(run, monkeypatch):
    def full(*_: object) -> None:
        raise apsw.FullError("database or disk is full")

    monkeypatch.setattr("conversion_relay.outbox.sqlite.backup._copy", full)
    code, text = run("backup", "copy.db")
    assert code == 1 and text == "the disk of copy.db is full, or a quota is; free some space, then try again\n"


@pytest.mark.parametrize("verb", ["send", "validate"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"email;value\na@b.example;5\n", "conversion-relay import"),
        (b"PK\x03\x04", "workbook"),
        (b"\x1f\x8b\x08", "gunzip"),
        (b"hello", "send JSON"),
        (b'{"event_name": "Lead",', "not valid JSON"),
        (b'"event_name": "Lead", "a": 1', "send JSON"),
    ],
)
def test_what_is_no_json_is_told_for_what_it_is(run, tmp_path, verb, content, said):
    (tmp_path / "file").write_bytes(content)
    code, text = run(verb, "file")
    assert code == 1 and said in text


@pytest.mark.parametrize("given", ["a@b.example\nc@d.example\n", "a@b.example\r\n\r\nc@d.example"])
def test_of_a_list_of_people_not_the_first_alone_is_forgotten(run, monkeypatch, given):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
    code, text = run("erase", "--email", "-")
    assert code == 2 and "one call for each person" in text and "@" not in text


@pytest.mark.parametrize("given", ["", "\n", "\ufeff\n"])
def test_nobody_is_no_person(run, monkeypatch, given):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
    assert run("erase", "--email", "-")[0] == 2


@pytest.mark.parametrize("anew", [(), ("--anew",)])
@pytest.mark.parametrize("end", ["", "\n"])
def test_no_file_but_verdicts_is_written_over(run, tmp_path, anew, end):
    text = json.dumps({"event_name": "Lead", "user_data": {"email": "a@b.example"}}) + end
    (tmp_path / "events.jsonl").write_text(text)
    (tmp_path / "other.jsonl").write_text(text)
    assert run("import", "events.jsonl", "--verdicts", "events.jsonl", *anew)[0] == 2
    assert anew or run("import", "events.jsonl", "--verdicts", "other.jsonl")[0] == 2
    assert (tmp_path / "events.jsonl").read_text() == (tmp_path / "other.jsonl").read_text() == text


def test_two_imports_do_not_write_the_same_verdicts(run, tmp_path):
    (tmp_path / "sales.csv").write_text(f"event_name,email,event_time\n{ROW}")
    with Verdicts(tmp_path / "sales.csv.verdicts.csv", "of the first"):
        code, text = run("import", "sales.csv", "--action-source", "website", "--anew")
    assert code == 2 and "another import" in text
    assert run("import", "sales.csv", "--action-source", "website", "--anew")[0] in (0, 1)


def test_an_outbox_may_be_a_link_to_a_file_on_another_disk(run, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "linked.db").symlink_to(tmp_path / "disk" / "outbox.db")
    (tmp_path / "event").write_text(
        json.dumps({"event_name": "Lead", "event_id": "e", "user_data": {"ph": "+4930123456"}})
    )
    place = f"sqlite:///{tmp_path}/linked.db"
    assert run("send", "event", RELAY_OUTBOX=place)[0] == run("send", "event", RELAY_OUTBOX=place)[0] == 0
    code, text = run("explain", "e", RELAY_OUTBOX=f"sqlite:///{tmp_path}/disk/outbox.db")
    assert code == 0 and "accepted" in text
    assert not list(tmp_path.glob("linked.db-*"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b"pages:\n  - name: x\n   url: y\n",
            "not valid YAML: expected <block end>, but found '<block mapping start>' (at line 3,",
        ),
        (b"\tpages: []\n", "not valid YAML: found character '\\t' that cannot start any token (at line 1, column 1)"),
        (b"pages: &a [*a]\n", "a part of it stands in itself"),
        (b"pages: " + b"[" * 3_000, "nested too deeply"),
        ("collector: Größe\n".encode("cp1252"), "the file is not UTF-8; save it as UTF-8"),
        (b"pages: []\x01", "special characters are not allowed"),
    ],
)
def test_a_file_of_expectations_that_is_no_yaml_is_told_with_its_place(run, tmp_path, content, told):
    (tmp_path / "events.yml").write_bytes(content)
    code, text = run("expect", "events.yml")
    assert code == 2 and told in text.partition("Error: events.yml: ")[2], text
