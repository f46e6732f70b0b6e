// A whole SIP stack (nta) on the driver, both modes:
//
//   client agent                 server agent        two drivers on one base
//      |---- OPTIONS x 200 -------->|
//      |<------- 200 OK x 200 ------|
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/tport_tag.h>
#include <sofia-sip/url.h>

#include <netinet/in.h>

#include "sip/su_clock.h"
#include "tests/sip/su_driver_fixture.h"

using namespace su_test;

SU_GROUPS(SuNtaPort, SuNtaNested);
#define IN_BOTH_MODES(name) SU_TEST_IN(SuNtaPort, SuNtaNested, name)

namespace {

struct Count {
  int answered = 0, failed = 0, status = 0;
};

int on_reply(nta_outgoing_magic_t* magic, nta_outgoing_t* orq, sip_t const*) {
  auto* count = reinterpret_cast<Count*>(magic);
  int status = nta_outgoing_status(orq);
  if (status < 200) return 0;
  count->status = status;
  (status == 200 ? count->answered : count->failed)++;
  nta_outgoing_destroy(orq);
  return 0;
}

int on_request(nta_leg_magic_t*, nta_leg_t*, nta_incoming_t*, sip_t const*) { return 200; }

struct Agent {
  SuDriver& driver;
  nta_agent_t* nta;
  nta_leg_t* leg;
  std::string uri;

  Agent(SuDriver& d, const char* transport, nta_request_f* serve)
      : driver(d),
        nta(nta_agent_create(d.root(), URL_STRING_MAKE((std::string("sip:127.0.0.1:*;transport=") + transport).c_str()),
                             nullptr, nullptr, NTATAG_SIP_T1X64(2000), NTATAG_SIP_T4(100), TPTAG_QUEUESIZE(1000), TAG_END())),
        leg(nta_leg_tcreate(nta, serve, nullptr, NTATAG_NO_DIALOG(1), SIPTAG_FROM_STR("<sip:t@127.0.0.1>"),
                            SIPTAG_TO_STR("<sip:t@127.0.0.1>"), TAG_END())) {
    sip_contact_t const* m = nta_agent_contact(nta);
    uri = "sip:t@127.0.0.1:" + std::string(m && m->m_url->url_port ? m->m_url->url_port : "5060") + ";transport=" + transport;
    d.kick();
  }
  ~Agent() {
    nta_leg_destroy(leg);
    nta_agent_destroy(nta);
  }
  void ask(const std::string& to, Count& count) {
    nta_outgoing_t* orq =
        nta_outgoing_tcreate(leg, on_reply, reinterpret_cast<nta_outgoing_magic_t*>(&count), nullptr, SIP_METHOD_OPTIONS,
                             URL_STRING_MAKE(to.c_str()), SIPTAG_TO_STR(("<" + to + ">").c_str()), TAG_END());
    CHECK_TRUE(orq != nullptr);
    driver.kick();
  }
};

void exchange(SuDriverTest& t, const char* transport) {
  std::unique_ptr<SuDriver> other = t.make(t.driver->mode());
  Count count;
  {
    Agent server(*other, transport, on_request), client(*t.driver, transport, nullptr);
    for (int i = 0; i < 200; i++) client.ask(server.uri, count);
    t.turn_until([&] { return count.answered + count.failed == 200; });
    LONGS_EQUAL(200, count.answered);
  }
}

}  // namespace

IN_BOTH_MODES(two_hundred_requests_over_udp_are_answered) { exchange(t, "udp"); }
IN_BOTH_MODES(two_hundred_requests_over_tcp_are_answered) { exchange(t, "tcp"); }

// ICMP says so at once; without the error bits only timer F would, after 32 s.
IN_BOTH_MODES(a_closed_port_fails_within_moments) {
  std::string gone;
  {
    Agent server(*t.driver, "udp", on_request);
    gone = server.uri;
  }
  Agent client(*t.driver, "udp", nullptr);
  Count count;
  int64_t began = real_ms();
  client.ask(gone, count);
  t.turn_until([&] { return count.failed == 1; });
  LONGS_EQUAL(503, count.status);
  CHECK_TRUE(real_ms() - began < 1500);
}

// A silent server, on a clock that the test moves: T1 * 64 = 2 s.
IN_BOTH_MODES(a_silent_server_times_out_by_sofias_clock) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t len = sizeof a;
  LONGS_EQUAL(0, bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a));
  getsockname(fd, reinterpret_cast<sockaddr*>(&a), &len);
  g_fake_us = 0;
  pua::su_clock_set_source(fake_clock);
  {
    Agent client(*t.driver, "udp", nullptr);
    Count count;
    client.ask("sip:t@127.0.0.1:" + std::to_string(ntohs(a.sin_port)), count);
    t.driver->settle();
    for (int ms = 0; ms < 1900; ms += 100) {
      g_fake_us += 100000;
      t.driver->settle();
    }
    LONGS_EQUAL(0, count.failed);
    for (int ms = 0; ms < 400; ms += 100) {
      g_fake_us += 100000;
      t.driver->settle();
    }
    LONGS_EQUAL(1, count.failed);
    LONGS_EQUAL(408, count.status);
  }
  pua::su_clock_set_source(nullptr);
  close(fd);
}
