"""What a user has done wrong is told in one line; what we have done wrong keeps its traceback."""

import copy
import itertools
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import InputError, input_error_behind, one_line, printable, system_faults

KNOWN = InputError("a.nii", expected="3 dimensions", got=4, fix="give one volume")
LINE = "a.nii: expected 3 dimensions, got 4; give one volume"


def chain(*errors: BaseException) -> BaseException:
    """The last of `errors`, each raised from the one before."""
    for cause, error in itertools.pairwise(errors):
        error.__cause__ = cause
    return errors[-1]


def test_the_message_names_input_expectation_finding_and_fix_in_one_line() -> None:
    assert str(KNOWN) == LINE
    folded = InputError(Path("a b.png"), expected="a\n  number", got=ValueError("x\ny"), fix="mend\tit")
    assert str(folded) == "a b.png: expected a number, got x y; mend it"
    assert isinstance(KNOWN, ValueError)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_input_error_survives_the_way_from_a_loaders_worker(copied: Callable[[InputError], InputError]) -> None:
    assert isinstance(copied(KNOWN), InputError)
    assert str(copied(KNOWN)) == LINE


def test_an_input_error_is_found_and_told_however_often_it_was_wrapped() -> None:
    for wrappers in range(4):
        wrapped = chain(OSError("disk"), KNOWN, *[RuntimeError(f"wrapped {n}") for n in range(wrappers)])
        assert input_error_behind(wrapped) is KNOWN
        assert one_line(wrapped) == LINE


def test_another_error_is_told_by_its_innermost_cause() -> None:
    wrapped = chain(KeyError("x"), ValueError("several\nlines"), RuntimeError("pages"))
    assert input_error_behind(wrapped) is None
    assert input_error_behind(None) is None
    assert one_line(wrapped) == "KeyError: 'x'"
    assert one_line(ValueError("several\n lines")) == "ValueError: several lines"


def run(body: str) -> subprocess.CompletedProcess[str]:
    """Run `body` in a process that reports input errors in one line, even where that was asked for twice."""
    script = (
        "from shared.errors import InputError, report_input_errors_in_one_line as report\n"
        "report()\nreport()\nbad = InputError('a', expected='b\\nB', got='c', fix='d')\n" + body
    )
    root = Path(__file__).parents[1]
    return subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)


WRAPPED = "try:\n    raise bad\nexcept InputError as e:\n    raise RuntimeError('pages') from e"


@pytest.mark.parametrize("body", ["raise bad", WRAPPED], ids=["bare", "wrapped"])
def test_an_uncaught_input_error_is_one_line_and_exit_code_1(body: str) -> None:
    done = run(body)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: a: expected b B, got c; d\n")


def test_any_other_uncaught_error_keeps_its_traceback() -> None:
    done = run("1 / 0")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_an_error_raised_from_none_hides_the_input_error_it_met_on_its_way() -> None:
    def defect() -> None:
        try:
            raise InputError("a", expected="b", got="c", fix="d")
        except InputError:
            raise KeyError("a defect") from None

    with pytest.raises(KeyError) as raised:
        defect()
    assert input_error_behind(raised.value) is None


def test_escape_codes_and_what_else_commands_a_terminal_are_not_printed() -> None:
    assert printable("a\x1b[31m\x9b2J\x07\u202e\ud800 b\r\n µ→") == "a�[31m�2J��� b µ→"
    assert str(InputError("a\x1b[2J", expected="x", got="\x00", fix="y")) == "a�[2J: expected x, got �; y"
    assert one_line(ValueError("\x1b")) == "ValueError: �"


def test_what_was_found_is_shortened_where_it_would_fill_pages() -> None:
    assert str(InputError("a", expected="b", got="x" * 401, fix="c")) == f"a: expected b, got {'x' * 400}…; c"
    assert str(InputError("a", expected="b", got="", fix="c")) == "a: expected b, got nothing; c"


def test_what_the_system_refuses_is_a_line_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    for refused in (lambda: (tmp_path / "gone").read_text(), lambda: (tmp_path / "a").rename(tmp_path / "b" / "gone")):
        with pytest.raises(
            InputError, match=r"gone: expected files that can be [^\n]+ got No such file or directory; "
        ):
            call_where_the_system_refuses(refused)
    with pytest.raises(InputError, match=r"\Athe command: expected files [^\n]+, got No space left on device; "):
        call_where_the_system_refuses(lambda: os.writev(os.open("/dev/full", os.O_WRONLY), [b"x"]))


def call_where_the_system_refuses(refused: Callable[[], object]) -> None:
    with system_faults("the command"):
        refused()
