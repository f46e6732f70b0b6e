"""A machine of its own for commands that install and start things: /etc, /usr/local, /var, /run, /tmp, /home and the network are
private, processes end with it. It stands on Linux namespaces and overlays and needs root. In it lives a user without root, who has
sudo, and a systemctl that knows one service (fake_systemctl.py)."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

from harness import Failure, Process, Skip, wait_for

USER = "reader"
HOME = f"/home/{USER}"

# sudo: su, which asks nobody for a password here. A root shell has the folders of Debian's secure_path.
SUDO = """#!/bin/bash
exec su root -c "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; $(printf '%q ' "$@")"
"""
NO_PASSWORD = "auth sufficient pam_permit.so\naccount sufficient pam_permit.so\nsession sufficient pam_permit.so\n"

SETUP = f"""set -e
mount --bind "$1/home" /mnt
mount -t tmpfs none "$1/over"
for folder in etc usr/local var home; do
  mkdir -p "$1/over/$folder/upper" "$1/over/$folder/work"
  mount -t overlay none -o "lowerdir=/$folder,upperdir=$1/over/$folder/upper,workdir=$1/over/$folder/work" "/$folder"
done
mkdir -p {HOME}
mount --move /mnt {HOME}
mount -t tmpfs none /run
mkdir /run/lock
install -m 755 "$1/sudo" "$1/systemctl" /usr/local/bin
install -m 644 "$1/pam" /etc/pam.d/su
useradd --no-create-home --home-dir {HOME} --shell /bin/bash {USER}
chown -R {USER}: {HOME}
mount -t tmpfs -o mode=1777 none /tmp
python3 -c 'import fcntl, socket, struct
s = socket.socket(); fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 1))'
"""


class Sandbox:
    """home: a folder that becomes the user's home. Ended with its context."""

    def __init__(self, ctx, home):
        if os.getuid() != 0:
            raise Skip("needs root, for namespaces of its own")
        if "NoNewPrivs:\t1" in pathlib.Path("/proc/self/status").read_text():
            raise Skip("this process may not gain privileges, so there is no sudo to try")
        folder = ctx.dir / "sandbox"
        (folder / "over").mkdir(parents=True)
        home.rename(folder / "home")
        (folder / "sudo").write_text(SUDO)
        (folder / "pam").write_text(NO_PASSWORD)
        shutil.copy(pathlib.Path(__file__).with_name("fake_systemctl.py"), folder / "systemctl")
        # The first process of the namespace does the setup and sleeps; all others end with it.
        self.keeper = ctx.start("sandbox", ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
                                            "bash", "-c", SETUP + "echo ready; exec sleep 100000", "sandbox", folder])
        try:
            wait_for(lambda: "ready" in self.keeper.output() or not self.keeper.running(), 60, "the sandbox is there")
        except Failure as why:
            raise Failure(f"{why}: {self.keeper.output()}") from None
        if "ready" not in self.keeper.output():
            raise Skip(f"no namespaces or overlays here: {self.keeper.output()[-200:]}")
        children = pathlib.Path(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children").read_text().split()
        self.inside = ["nsenter", "--mount", "--net", "--pid", "--target", children[0]]

    def login(self, command, cwd):
        """The argv that runs this line of a shell as the user's, right after a login."""
        path = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
        return [*self.inside, "setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--reset-env",
                "env", "--chdir", cwd, f"PATH={path}", f"HOME={HOME}", f"USER={USER}", f"LOGNAME={USER}", "LANG=C.UTF-8",
                "bash", "-c", command]

    def root(self, *argv):
        """Runs this as root; returns its output."""
        return subprocess.run([*self.inside, *argv], capture_output=True, text=True, check=False, timeout=30).stdout

    def start(self, ctx, name, command, cwd) -> Process:
        return ctx.start(name, self.login(command, cwd))

    @staticmethod
    def interrupt(process):
        """Ctrl-C: to the command and what it started, but not to what holds it here."""
        def below(pid):
            for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                yield from below(int(child))
                yield int(child)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):     # it may have ended by itself
            for pid in list(below(process.pid)):
                os.kill(pid, signal.SIGINT)
