// SPDX-License-Identifier: Apache-2.0
// The server's side of HTTP/2 against any peer and any use.
#include "http_h2_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::http;
  H2Script(H2Session::Role::kServer, as_text(data, size)).run();
  return 0;
}
