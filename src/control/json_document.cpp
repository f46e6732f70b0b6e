#include "control/json_document.h"

#include <jansson.h>

namespace pua {

namespace {
constexpr size_t kKeepValues = 4096;          // memory for more is given back, after a text that was full of numbers, say
constexpr size_t kKeepOctets = 64 * 1024;
}  // namespace

JsonDocument::JsonDocument() = default;
JsonDocument::~JsonDocument() = default;

void JsonDocument::Free::operator()(json_t* j) const { json_decref(j); }

void JsonDocument::clear() {
  values.clear();
  if (values.capacity() > kKeepValues) values.shrink_to_fit();
  unescaped.clear();
  if (unescaped.capacity() > kKeepOctets) unescaped.shrink_to_fit();
  reals.clear();
  tree.reset();
}

}  // namespace pua
