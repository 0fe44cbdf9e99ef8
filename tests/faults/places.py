"""Names and places in which a good file may lie, and what besides files lies in folders."""

import os
import socket
from pathlib import Path

# Of files whose content is good: each must be done, and its results kept apart from the run's own.
NAMES = (
    "a$b_{x}^2", "$x$", "-dash", "--output_dir", "größe 漢字 🧠", "new\nline", "tab\tbed", "\x1b[31mred", " blanks ",
    "n" * 200, "overlays/inner", "summary", "summary.csv", "detections", "metrics", "a.b.c", "%s{0}", "quote'\"",
    "#hash", "a#z003", "b#t001_z003", "back\\slash", "semi;colon", "a,b", "2024", "True", "None", "~", "(1)", "con",
    "&amp;<b>", ".hidden/../plain", "folder.png/in", "*", "[x]", "?", "=1+1", "@here", "!exclaimed",
)  # fmt: skip


def write_odd_entries(folder: Path, good: Path) -> None:
    """Links, pipes and folders, of which none may keep the others from being found. good: a picture or volume."""
    ending = "".join(good.suffixes)
    (folder / "ring").symlink_to(folder, target_is_directory=True)
    (folder / f"itself{ending}").symlink_to(folder / f"itself{ending}")
    (folder / f"broken{ending}").symlink_to(folder / "gone")
    (folder / f"folder_called{ending}").mkdir()
    (folder / "._hidden").write_bytes(b"x")
    (folder / f"._of_a_mac{ending}").write_bytes(good.read_bytes())
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    os.mkfifo(folder / f"pipe{ending}")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(folder)  # the name of a socket may have 107 characters
        server.bind(f"socket{ending}")
        os.chdir(here)
