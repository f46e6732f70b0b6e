// Fuzz target: control requests. The first octet chooses the way in: 0 the dispatcher alone, 1 FIFO framing in front of
// it, 2 the same in pieces of a few octets; then what is open is completed. Every answer must be valid JSON, and no
// request may be answered twice.
#include <jansson.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "control/dispatcher.h"
#include "control/fifo_framing.h"
#include "tests/control/fake_instance.h"

using namespace pua;

namespace {

void check(bool good) {
  if (!good) abort();
}

// A reply function that must be called at most once, with JSON.
ReplyFn checked_reply() {
  auto answers = std::make_shared<int>(0);
  return [answers](std::string&& text) {
    check(++*answers == 1);
    json_t* document = json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES, nullptr);
    check(document != nullptr);
    json_decref(document);
    return true;
  };
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  uint8_t way = data[0];
  std::string_view octets(reinterpret_cast<const char*>(data) + 1, size - 1);
  test::FakeWorld world;
  std::string body = "<presence/>\xff\x01";
  for (const char* uri : {"sip:a@b", "sip:c@d"}) {
    RecordView r;
    r.pres_uri = uri;
    r.event = 1;
    r.body = body;
    world.pua.records.push_back(r);
  }
  Dispatcher dispatcher(world.context);
  std::string reply_name;
  if (way % 3 == 0) {
    dispatcher.handle(octets, checked_reply(), &reply_name);
  } else {
    FifoFraming framing;
    auto request = [&](std::string_view name, std::string_view text) {
      check(text.size() <= world.context.max_request + 1 && name.size() <= 255);
      dispatcher.handle(text, checked_reply(), &reply_name);
    };
    size_t piece = way % 3 == 1 ? octets.size() : way % 7 + 1u;
    for (size_t at = 0; at < octets.size(); at += piece) {
      framing.feed(octets.substr(at, piece), world.context.max_request, request);
    }
    framing.give_up(request);
    check(!framing.partial());
  }
  while (!world.pua.taken.empty()) world.pua.complete(way < 128 ? 200 : 503, "R\xe4\"ason", "etag", 60);
  for (auto& done : world.pua.flushes) done(way < 128);
  return 0;
}
