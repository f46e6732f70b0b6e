"""A private MariaDB server on loopback. It can be killed, frozen and started again on the same folder and port."""
import contextlib
import fcntl
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time

from harness import HOST, Failure, Skip, wait_for

SOCKET_PATH_MAX = 107      # octets, of sockaddr_un
LOG_FILE = "--innodb-log-file-size=16M"
# Small, because many run beside each other. How commits reach the disk is as it comes.
OPTIONS = ("--innodb-buffer-pool-size=32M", LOG_FILE, "--innodb-log-buffer-size=2M", "--innodb-flush-log-at-trx-commit=1",
           "--key-buffer-size=1M", "--aria-pagecache-buffer-size=8M", "--performance-schema=off", "--skip-name-resolve",
           "--character-set-server=utf8mb4")
ESCAPE = re.compile(r"\\([0nt\\])")
ESCAPED = {"0": "\0", "n": "\n", "t": "\t", "\\": "\\"}


def tool(*names):
    """Path of the first of these programs that is installed."""
    for name in names:
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        if path:
            return path
    raise Skip(f"{names[0]} is not installed")


def user_name():
    return pwd.getpwuid(os.getuid()).pw_name


@contextlib.contextmanager
def locked(path):
    """Holds a lock on this file; test runs beside each other wait here."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def template(server):
    """A data folder as it is right after the installation, made once for this user and version."""
    version = subprocess.run([server, "--no-defaults", "--version"], capture_output=True, text=True, check=True).stdout
    number = re.search(r"Ver (\S+)", version).group(1)
    base = pathlib.Path(tempfile.gettempdir())
    folder = base / f"pua-mariadb.{os.getuid()}.{re.sub('[^A-Za-z0-9.]', '_', number)}"
    with locked(base / f"{folder.name}.lock"):
        if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid():
            return folder
        half = pathlib.Path(tempfile.mkdtemp(prefix="pua-mariadb-", dir=base))
        try:
            done = subprocess.run([tool("mariadb-install-db", "mysql_install_db"), "--no-defaults", f"--datadir={half}/data",
                                   f"--user={user_name()}", "--auth-root-authentication-method=normal", "--skip-test-db",
                                   LOG_FILE], capture_output=True, text=True, errors="replace", check=False)
            if done.returncode:
                raise Failure(f"mariadb-install-db failed: {(done.stdout + done.stderr)[-800:]}")
            os.rename(half / "data", folder)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    return folder


class MariaDb:
    """Started by making it, ready when made; ends with its context. `options` are further ones of mariadbd.

    user: for root, another user that it runs as; root itself else."""

    def __init__(self, ctx, name="mariadb", options=(), user=None):
        self.ctx, self.name, self.options, self.process, self.pid = ctx, name, tuple(options), None, None
        self.server, self.client = tool("mariadbd", "mysqld"), tool("mariadb", "mysql")
        self.port, self.data, self.tmp = ctx.port(), ctx.dir / f"{name}.data", ctx.dir / f"{name}.tmp"
        self.user = user or user_name()
        self.pid_file, self.socket = self.tmp / "pid", self.tmp / "sock"
        if len(os.fsencode(self.socket)) > SOCKET_PATH_MAX:
            short = tempfile.mkdtemp(prefix="pua-", dir="/tmp")
            ctx.callback(shutil.rmtree, short, ignore_errors=True)
            self.socket = pathlib.Path(short, "mariadb.sock")
            if user:
                shutil.chown(short, user)
        shutil.copytree(template(self.server), self.data)
        self.data.chmod(0o700)
        self.tmp.mkdir()
        if user:
            ctx.dir.chmod(0o711)
            for path in [self.data, self.tmp, *self.data.rglob("*")]:
                shutil.chown(path, user)
        self.start()

    def start(self, timeout=60):
        """Starts it on its folder and port, and waits until it answers. Also after stop() and kill()."""
        user = [f"--user={self.user}"] if os.getuid() == 0 else []
        self.process = self.ctx.start(self.name, [
            self.server, "--no-defaults", *user, f"--datadir={self.data}", f"--socket={self.socket}",
            f"--pid-file={self.pid_file}",
            f"--tmpdir={self.tmp}", f"--bind-address={HOST}", f"--port={self.port}", *OPTIONS, *self.options])
        self.ctx.callback(self.process.kill)   # at the end of a test nobody waits for an orderly shutdown
        self.pid = self.process.pid
        try:
            wait_for(self._answers, timeout, f"{self.name} answers", step=0.05)
        except Failure as why:
            raise Failure(f"{why}; its log ends: {self.process.output()[-1500:]}") from None
        return self

    def _answers(self):
        if not self.process.running():
            raise Failure(f"{self.name} ended with status {self.process.popen.returncode}")
        return self.client_run("SELECT 1").returncode == 0

    def client_run(self, text, *arguments, database="", timeout=60):
        """Runs the client on this text as root over the socket; the completed process, output in octets."""
        try:
            return subprocess.run([self.client, "--no-defaults", f"--socket={self.socket}", "--user=root", "--batch",
                                   "--skip-column-names", "--default-character-set=utf8mb4", *arguments,
                                   *([database] if database else [])],
                                  input=text.encode("utf-8", "surrogateescape"), capture_output=True, timeout=timeout,
                                  check=False)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not answer in {timeout} s: {text[:120]}") from None

    def sql(self, text, database="", timeout=60):
        """The rows of all results, as lists of strings; None for NULL, and for the string "NULL", which looks the same."""
        done = self.client_run(text, database=database, timeout=timeout)
        if done.returncode:
            raise Failure(f"{self.name}: {done.stderr.decode(errors='replace').strip()[:500]}")
        lines = done.stdout.decode("utf-8", "surrogateescape").split("\n")[:-1]
        return [[None if cell == "NULL" else ESCAPE.sub(lambda m: ESCAPED[m.group(1)], cell) for cell in line.split("\t")]
                for line in lines]

    def value(self, text, database=""):
        """The first column of the first row; None if there is none."""
        rows = self.sql(text, database)
        return rows[0][0] if rows else None

    def create_database(self, name="presence"):
        """An empty database, and user pua with all rights on it, from wherever he comes."""
        users = " ".join(f"CREATE USER IF NOT EXISTS pua@'{host}' IDENTIFIED BY 'puapw'; GRANT ALL ON `{name}`.* TO pua@'{host}';"
                         for host in ("%", "localhost"))
        self.sql(f"CREATE DATABASE `{name}`; {users}")

    def url(self, database="presence"):
        return f"mysql://pua:puapw@{HOST}:{self.port}/{database}"

    def stop(self, timeout=30):
        """An orderly shutdown: SIGTERM, and waits for its end."""
        self.thaw()
        self.process.signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def kill(self):
        """SIGKILL, as a crash would do it."""
        self.process.kill()

    def freeze(self):
        """SIGSTOP: connections stay, and nobody answers."""
        self.process.signal(signal.SIGSTOP)

    def thaw(self):
        self.process.signal(signal.SIGCONT)

    def restart(self, pause=0.0):
        self.stop()
        time.sleep(pause)
        return self.start()
