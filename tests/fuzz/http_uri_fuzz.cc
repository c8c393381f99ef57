// SPDX-License-Identifier: Apache-2.0
// Any bytes as path, authority and escaped text: no crash; normal forms are fixpoints and hold
// nothing that two readers could take in two ways.
#include "http/chars.h"
#include "http/uri.h"
#include "http_fuzz.h"

namespace weir::http {
namespace {

void check_path(std::string_view text, base::Arena& arena) {
  Result<std::string_view> once = normalise_path(text, arena);
  if (!once) return;
  CHECK(once->starts_with('/'));
  for (std::string_view bad : {"//", "/./", "/../", "\\", "%2F", "%5C", "%00", "%2E"}) {
    CHECK(once->find(bad) == once->npos);
  }
  CHECK(!once->ends_with("/.") && !once->ends_with("/.."));
  for (char c : *once) CHECK(c > ' ' && c < 0x7f && c != '#');
  Result<std::string_view> twice = normalise_path(*once, arena);
  CHECK(twice && *twice == *once);
  // A path without escapes is returned as it is.
  CHECK(once->find('%') != once->npos || twice->data() == once->data());
}

void check_authority(std::string_view text, base::Arena& arena) {
  Result<Authority> once = parse_authority(text, arena);
  if (!once) return;
  CHECK(!once->host.empty() && once->text.starts_with(once->host));
  for (char c : once->text) CHECK(c == to_lower(c) && c != '@' && c != '/' && c > ' ');
  Result<Authority> twice = parse_authority(once->text, arena);
  CHECK(twice && twice->text == once->text && twice->host == once->host);
  CHECK(twice->port == once->port);
}

void run(std::string_view text) {
  Memory memory;
  check_path(text, memory.arena);
  check_authority(text, memory.arena);
  CHECK(percent_decode(text, memory.arena).size() <= text.size());
}

}  // namespace
}  // namespace weir::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::http::run(weir::http::as_text(data, size));
  return 0;
}
