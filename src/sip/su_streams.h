// Sofia's TCP sockets kept within bounds: none takes connections, what comes over one before a message is complete has a limit,
// and one that sofia has stopped reading is closed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

struct sockaddr;
extern "C" {
typedef struct su_root_s su_root_t;  // as in sofia-sip/su_wait.h
}

namespace pua {

// Stops what listens on this TCP port in this process, and keeps its descriptor: sofia asks it for the address that
// connections are to leave from, but nobody can connect, and the root does not watch it. Returns how many.
int unlisten(su_root_t*, uint16_t port);

// From now on a TCP connection of the root that has brought more than `most` octets since its last message is shut down; who
// waits for a reply over it is told. Several agents on one root: the largest counts.
void su_guard_streams(su_root_t*, size_t most);
// A message was taken from the connection that is being served, whose other end this is.
void su_stream_message(su_root_t*, const sockaddr* peer);
// A request to this server was not answered in time. A connection to it that has brought octets since its last message is shut
// down: sofia passes over some (a NUL) in silence, and every message behind them is lost. Over TLS the octets of the handshake
// count as well.
void su_stream_unanswered(su_root_t*, const sockaddr* peer);

// "192.0.2.1:5061", "[2001:db8::1]:5061"; empty for an address of another kind. stream_peer: of the other end of a connection.
std::string peer_text(const sockaddr*);
std::string stream_peer(int fd);

// The socket holds no more than this for us, unread.
void limit_unread(int fd, size_t most);

// Octets that were read from a TCP connection so far. false: fd is no TCP connection.
bool stream_octets(int fd, uint64_t& out);

}  // namespace pua
