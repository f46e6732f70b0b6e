// The way from a call of the C API to the engine: nothing stands between that only passes on.
//
//   pua_send_publish --> Instance::publish --> Engine::publish ... --> the event's body processor, which looks at the stack here
#include <execinfo.h>

#include <string>

#include "api/handle.h"
#include "tests/api/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

constexpr int32_t kEvent = 1 << 20;

constexpr int kFrames = 3;  // the call of the C API, the instance's, the engine's
constexpr int kDeepest = 128;
int g_depth = 0;  // of the stack, in the processor

int note_depth(publ_info_t*, pua_str_t**, int, pua_str_t*) {
  void* frames[kDeepest];
  g_depth = backtrace(frames, kDeepest);
  return 0;
}

}  // namespace

TEST_GROUP(ApiWays) {
  Rig rig;
};

// Compared with a call of the engine from the same place: so it matters not how many frames there are from the engine on.
TEST(ApiWays, from_a_publish_of_the_c_api_to_the_engine_there_are_three_frames_at_most) {
  LONGS_EQUAL(PUA_OK, rig.start());
  char name[] = "x-ways", type[] = "application/x-ways";
  LONGS_EQUAL(PUA_OK, pua_add_event(rig.pua, kEvent, name, type, note_depth));
  std::string alice = "sip:alice@example.com", document = "document";
  pua_str_t uri = text(alice), body = text(document);
  publ_info_t p{};
  p.pres_uri = &uri;
  p.body = &body;
  p.event = kEvent;
  p.source_flag = UL_PUBLISH;
  p.expires = 600;
  PublishRequest q;
  q.pres_uri = "sip:bob@example.com";
  q.body = "document";
  q.event = kEvent;
  q.source = UL_PUBLISH;
  q.expires = 600;
  // Through pointers that the compiler cannot see through, else it might make one function of the engine and this one.
  auto* volatile send = pua_send_publish;
  Status (Engine::*volatile publish)(const PublishRequest&, RequestDone, MonoMs) = &Engine::publish;
  Instance& instance = *rig.pua->instance;
  LONGS_EQUAL(PUA_OK, send(rig.pua, &p));
  int by_the_api = g_depth;
  g_depth = 0;
  CHECK((instance.engine().*publish)(q, {}, instance.now()).ok());
  int by_itself = g_depth;
  CHECK(by_itself > 1 && by_the_api < kDeepest);
  int frames = by_the_api - by_itself + 1;
  CHECK_TEXT(frames >= 1 && frames <= kFrames, ("frames: " + std::to_string(frames)).c_str());
}
