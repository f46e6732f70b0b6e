// The buffers of recvmmsg and sendmmsg, one set for all sockets of a lane.
#pragma once

#include <sys/socket.h>

#include <memory>

#include "sip/lane.h"

namespace pua {

inline constexpr unsigned kLaneBatch = 64;      // datagrams of one system call

struct UdpLane::Batch {
  static constexpr size_t kDatagram = 65536;

  std::unique_ptr<char[]> octets{new char[kLaneBatch * kDatagram]};  // not zeroed: only what comes in takes memory
  mmsghdr in[kLaneBatch];
  iovec in_part[kLaneBatch];
  NetAddress in_from[kLaneBatch];
  mmsghdr out[kLaneBatch];
  iovec out_part[kLaneBatch];

  Batch() {
    for (unsigned i = 0; i < kLaneBatch; i++) {
      in_part[i] = {octets.get() + i * kDatagram, kDatagram};
      in[i] = {};
      in[i].msg_hdr.msg_iov = &in_part[i];
      in[i].msg_hdr.msg_iovlen = 1;
      in[i].msg_hdr.msg_name = &in_from[i].any;
      out[i] = {};
      out[i].msg_hdr.msg_iov = &out_part[i];
      out[i].msg_hdr.msg_iovlen = 1;
    }
  }
};

}  // namespace pua
