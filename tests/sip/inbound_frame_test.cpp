// Where messages end in a stream, octet for octet, and what is refused.
#include <string>
#include <vector>

#include "sip/inbound_frame.h"
#include "sip/inbound_refusal.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using Kind = Framing::Kind;

TEST_GROUP(InboundFrame) {
  size_t most = 4096;

  static const char* name(Kind k) {
    static constexpr const char* kNames[] = {"more", "skip", "ping", "message", "long", "refuse", "endless", "not sip"};
    return kNames[static_cast<int>(k)];
  }
  // What is found in a stream that comes in pieces of so many octets: "ping 2, message 80, ...".
  std::string found_in(const std::string& stream, size_t piece) {
    Framing f(most);
    std::string in, out;
    for (size_t at = 0; at < stream.size(); at += piece) {
      in += stream.substr(at, piece);
      for (;;) {
        Framing::Found x = f.next(in);
        if (x.kind == Kind::More) break;
        out += std::string(out.empty() ? "" : ", ") + name(x.kind);
        if (x.length) out += " " + std::to_string(x.length);
        if (x.kind == Kind::Long) {
          out += " and " + std::to_string(x.body);
          f.skip_body(x.body);
        }
        if (x.kind == Kind::Refuse) out += " " + std::to_string(x.status) + " " + x.reason;
        if (x.kind >= Kind::Refuse) return out;
        in.erase(0, x.length);
      }
    }
    if (f.begun()) out += out.empty() ? "begun" : ", begun";
    return out;
  }
  // The same however it is cut.
  void finds(const std::string& wanted, const std::string& stream) {
    for (size_t piece : {stream.size(), size_t{1}, size_t{2}, size_t{7}, size_t{64}})
      if (piece) STRCMP_EQUAL(wanted.c_str(), found_in(stream, piece).c_str());
  }
  static std::string head(const std::string& lines) { return "NOTIFY sip:a@b SIP/2.0\r\n" + lines + "\r\n"; }
  static std::string length(size_t n) { return std::to_string(n); }
};

TEST(InboundFrame, a_message_ends_where_content_length_says) {
  std::string m = head("Via: x\r\nContent-Length: 3\r\n") + "abc";
  finds("message " + length(m.size()), m);
  finds("message " + length(m.size()) + ", message " + length(m.size()) + ", begun", m + m + "NOTI");
  finds("begun", m.substr(0, m.size() - 1));
}

TEST(InboundFrame, the_name_of_the_field_may_be_compact_spaced_and_of_any_case) {
  for (const char* line : {"l: 3\r\n", "L:3\r\n", "content-LENGTH \t:  003  \r\n", "Content-Length:\r\n 3\r\n", "l\r\n :3\r\n"}) {
    std::string m = head(line) + "abc";
    finds("message " + length(m.size()), m);
  }
}

TEST(InboundFrame, lines_may_end_in_lf_alone) {
  std::string m = "NOTIFY sip:a@b SIP/2.0\nl: 1\n\nx";
  finds("message " + length(m.size()), m);
}

TEST(InboundFrame, what_looks_like_a_length_in_a_body_or_another_field_is_none) {
  std::string m = head("X-Content-Length: 9\r\nSubject: a\r\n l: 7\r\nl: 7\r\n") + "l: 99\r\n";
  finds("message " + length(m.size()), m);
}

TEST(InboundFrame, a_response_is_a_message) {
  std::string m = "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n";
  finds("message " + length(m.size()), m);
  std::string bare = "sip/2.0 200\r\nl: 0\r\n\r\n";
  finds("message " + length(bare.size()), bare);
}

TEST(InboundFrame, another_version_is_not_judged_here) {
  std::string m = "NOTIFY sip:a@b SIP/7.0\r\nl: 0\r\n\r\n";
  finds("message " + length(m.size()), m);
}

TEST(InboundFrame, line_ends_between_messages_are_skipped_and_two_are_a_ping) {
  std::string m = head("l: 0\r\n"), n = length(m.size());
  finds("skip 2, message " + n, "\r\n" + m);
  finds("skip 2, ping 2, message " + n, "\r\n\r\n" + m);
  finds("skip 2, ping 2, skip 2, ping 2, skip 2", "\r\n\r\n\r\n\r\n\r\n");
  finds("skip 2, message " + n + ", skip 2, message " + n, "\r\n" + m + "\r\n" + m);   // one before each is no ping
}

TEST(InboundFrame, a_cr_alone_may_become_a_line_end) {
  finds("", "\r");
  finds("not sip", "\rx");
}

TEST(InboundFrame, what_is_no_sip_is_told_by_its_first_line) {
  for (const char* text : {"x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "NOTIFY sip:a@b\r\n\r\n", "NOTIFY SIP/2.0\r\n\r\n",
                           "SIP/2.0 2x0 OK\r\n\r\n", "SIP/2.0\r\n\r\n", "NO(IFY sip:a SIP/2.0\r\n\r\n", " NOTIFY sip:a SIP/2.0\r\n\r\n",
                           "NOTIFY sip:a SIP/2.x\r\n\r\n"})
    finds("not sip", text);
}

TEST(InboundFrame, what_is_no_sip_is_told_by_its_first_octets_where_that_is_possible) {
  finds("not sip", "\x16\x03\x01");                   // a TLS ClientHello
  finds("not sip", std::string(3, '\0'));
  finds("begun", std::string(64, 'x'));
  finds("not sip", std::string(65, 'x'));             // no method is that long
}

TEST(InboundFrame, a_length_that_cannot_be_read_is_refused) {
  std::string h;
  auto refused = [&](const char* lines, const char* what) {
    h = head(lines);
    finds("refuse " + length(h.size()) + " " + what, h + "body");
  };
  refused("Via: x\r\n", "400 Content-Length Missing");
  refused("", "400 Content-Length Missing");
  refused("Content-Length: -1\r\n", "400 Bad Content-Length");
  refused("Content-Length: +1\r\n", "400 Bad Content-Length");
  refused("Content-Length:\r\n", "400 Bad Content-Length");
  refused("Content-Length: 1 2\r\n", "400 Bad Content-Length");
  refused("Content-Length: 0x4\r\n", "400 Bad Content-Length");
  refused("Content-Length: 4, 4\r\n", "400 Bad Content-Length");
  refused("Content-Length: 99999999999999999999999999\r\n", "400 Bad Content-Length");
  refused("Content-Length: 4294967300\r\n", "400 Bad Content-Length");   // 4, in 32 bits
  refused("Content-Length: 4\r\nl: 4\r\n", "400 Content-Length Given Twice");
}

TEST(InboundFrame, more_than_is_taken_is_told_by_its_head) {
  std::string h = head("l: 4096\r\n");
  finds("long " + length(h.size()) + " and 4096, begun", h);
  size_t bare = head("l: 4000\r\n").size();
  std::string fits = head("l: " + length(4096 - bare) + "\r\n") + std::string(4096 - bare, 'x');
  LONGS_EQUAL(4096, fits.size());
  finds("message 4096", fits);
}

TEST(InboundFrame, a_body_that_is_skipped_ends_where_content_length_says) {
  std::string h = head("l: 9000\r\n"), m = head("l: 0\r\n");
  Framing f(most);
  Framing::Found x = f.next(h);
  CHECK_TRUE(x.kind == Kind::Long);
  LONGS_EQUAL(9000, x.body);
  f.skip_body(x.body);
  CHECK_TRUE(f.begun());
  CHECK_TRUE(f.next("").kind == Kind::More);
  std::string rest(9000, '\n');   // would be keep-alives
  LONGS_EQUAL(4000, f.next(rest.substr(0, 4000)).length);
  x = f.next(rest.substr(4000) + m);
  CHECK_TRUE(x.kind == Kind::Skip);
  LONGS_EQUAL(5000, x.length);
  CHECK_FALSE(f.begun());
  x = f.next(m);
  CHECK_TRUE(x.kind == Kind::Message);
  LONGS_EQUAL(m.size(), x.length);
}

TEST(InboundFrame, another_limit_holds_from_the_next_head_on) {
  std::string h = head("l: 4096\r\n"), m = h + std::string(4096, 'x');
  Framing f(most);
  f.most(8192);
  CHECK_TRUE(f.next(m).kind == Kind::Message);
  f.most(4096);
  CHECK_TRUE(f.next(m).kind == Kind::Long);
}

TEST(InboundFrame, a_head_without_end_is_cut_off) {
  std::string begin = "NOTIFY sip:a@b SIP/2.0\r\n";
  finds("endless", begin + std::string(5000, 'x'));
  std::string lines = begin;
  while (lines.size() < 4000) lines += "X: y\r\n";
  finds("begun", lines);
  while (lines.size() < 4200) lines += "X: y\r\n";
  finds("endless", lines);
  finds("endless", lines + "l: 0\r\n\r\n");
}

TEST(InboundFrame, a_head_that_drips_in_is_looked_at_once) {
  // A quarter of a megabyte, octet by octet, in square time would take minutes.
  most = 256u << 10;
  std::string lines = "NOTIFY sip:a@b SIP/2.0\r\n";
  while (lines.size() < 250000) lines += "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n";
  lines += "l: 0\r\n\r\n";
  Framing f(most);
  Framing::Found x;
  for (size_t n = 1; n <= lines.size(); n++) x = f.next(std::string_view(lines).substr(0, n));
  LONGS_EQUAL(lines.size(), x.length);
}

// --- answers to what cannot be measured ------------------------------------------------------------------------------------

TEST_GROUP(InboundRefusal) {
  std::string out = "before";
  static constexpr const char* kHead = "NOTIFY sip:a@b SIP/2.0\r\nv: SIP/2.0/TCP h;branch=1\r\nVia: SIP/2.0/TCP i\r\nf: <sip:x@y>;tag=1\r\n"
                                       "To: <sip:a@b;tag=no>\r\nCall-ID: c\r\nCSeq: 1\r\n NOTIFY\r\n\r\n";
};

TEST(InboundRefusal, it_carries_what_a_response_has_to_carry) {
  CHECK_TRUE(write_refusal(kHead, 400, "Bad", "t1", out));
  STRCMP_EQUAL("beforeSIP/2.0 400 Bad\r\nVia: SIP/2.0/TCP h;branch=1\r\nVia: SIP/2.0/TCP i\r\nFrom: <sip:x@y>;tag=1\r\n"
               "To: <sip:a@b;tag=no>;tag=t1\r\nCall-ID: c\r\nCSeq: 1\r\n NOTIFY\r\nContent-Length: 0\r\n\r\n", out.c_str());
}

TEST(InboundRefusal, a_to_with_a_tag_keeps_it) {
  for (const char* to : {"<sip:a@b>;tag=mine", "<sip:a@b> ; x=y ;\r\n TAG=mine", "sip:a@b;tag=mine"}) {
    std::string head = std::string("NOTIFY s SIP/2.0\r\nVia: v\r\nFrom: f\r\nTo: ") + to + "\r\nCall-ID: c\r\nCSeq: 1 NOTIFY\r\n\r\n";
    out.clear();
    CHECK_TRUE(write_refusal(head, 400, "Bad", "t1", out));
    STRCMP_CONTAINS((std::string("To: ") + to + "\r\nCall-ID").c_str(), out.c_str());
  }
}

TEST(InboundRefusal, where_no_answer_can_be_made_there_is_none) {
  std::string head = kHead;
  for (const char* gone : {"v: SIP", "f: ", "To: ", "Call-ID: ", "CSeq: "}) {
    std::string h = head;
    if (h.find(gone) == h.find("v: SIP")) h.erase(h.find("Via: "), 5);   // both
    h.replace(h.find(gone), 1, "X");
    CHECK_FALSE(write_refusal(h, 400, "Bad", "t1", out));
  }
  std::string twice = head;
  twice.insert(twice.find("Call-ID"), "i: d\r\n");
  CHECK_FALSE(write_refusal(twice, 400, "Bad", "t1", out));
  std::string ack = head;
  ack.replace(0, 6, "ACK");
  CHECK_FALSE(write_refusal(ack, 400, "Bad", "t1", out));
  std::string response = head;
  response.replace(0, 22, "SIP/2.0 200 OK");
  CHECK_FALSE(write_refusal(response, 400, "Bad", "t1", out));
  STRCMP_EQUAL("before", out.c_str());
}
