"""A MariaDB server that is none: it offers no TLS, or asks for the password in the clear, and keeps all that it was told."""
import socket
import struct
import threading

from harness import HOST

SCRAMBLE = b"12345678", b"123456789012"


def packet(number, content):
    return len(content).to_bytes(3, "little") + bytes((number,)) + content


def greeting(plugin):
    low, high = 0xf7ff & ~0x0800, 0x81ff          # all but TLS
    return packet(0, b"\x0a5.5.5-10.11.6-MariaDB\0" + struct.pack("<I", 1) + SCRAMBLE[0] + b"\0" + struct.pack("<HBHH", low, 33, 2, high)
                  + b"\x15" + bytes(10) + SCRAMBLE[1] + b"\0" + plugin.encode() + b"\0")


class FakeMysql(threading.Thread):
    """begins_with: the method it names first; asks_for: the one it asks for then. first: octets in place of its greeting."""

    def __init__(self, ctx, begins_with="mysql_native_password", asks_for="mysql_clear_password", first=None):
        super().__init__(daemon=True)
        self.begins_with, self.asks_for, self.told, self.met = begins_with, asks_for, b"", 0
        self.first = first or greeting(begins_with)
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        ctx.callback(self.listener.close)
        self.start()

    def url(self, user="pua", password="s3cret-pass"):
        return f"mysql://{user}:{password}@{HOST}:{self.port}/presence"

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.met += 1
            with peer:
                peer.settimeout(3)
                try:
                    peer.sendall(self.first)
                    for question in (packet(2, b"\xfe" + self.asks_for.encode() + b"\0" + b"".join(SCRAMBLE) + b"\0"), b""):
                        answer = peer.recv(4096)
                        self.told += answer
                        if answer and question:
                            peer.sendall(question)
                except OSError:
                    pass
