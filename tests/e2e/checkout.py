"""A checkout of its own, with what is built: tests that build and install change nothing of the one they stand in."""
import pathlib
import shutil
import subprocess

from harness import BUILD, ROOT, Failure, Skip

# Of the build folder: the objects of the programs, with their dependencies, but not those of tests.
PARTS = ("src", "gen", "examples", "libpua.a", "libpuactl.a", "libpua.so.0", "libpua.so", "libpua.pc", "puad", "puactl")


def copy_checkout(to):
    """Files as they are now, committed or not, with their times: what is built counts as built. Returns the folder."""
    if BUILD != ROOT / "build" / "release":
        raise Skip("this is about the release build")
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=False,
                           capture_output=True).stdout.decode().split("\0")
    if names == [""]:
        raise Skip("this is no git checkout")
    to = pathlib.Path(to)
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    for part in PARTS:
        source, target = BUILD / part, to / "build" / "release" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        elif source.exists():
            shutil.copy2(source, target, follow_symlinks=False)
        else:
            raise Failure(f"{source} is not built: run make")
    return to
