// SPDX-License-Identifier: Apache-2.0
// Any bytes as a PROXY protocol header: no crash, the verdict does not depend on how the bytes are
// cut, nothing is asked for beyond the bound, and what is accepted is written again with the same
// meaning.
#include <array>

#include "http/proxy_protocol.h"
#include "http_fuzz.h"

namespace weir::http {
namespace {

void check_rewritten(const ProxyFacts& facts) {
  std::array<char, kProxyV2Bytes + 64> room;
  const size_t size = write_proxy_v2(facts, room);
  CHECK(size > 0 && size <= proxy_v2_bound(facts));
  ProxyFacts again;
  const Result<size_t> parsed = parse_proxy_header({room.data(), size}, again);
  // Mapped to IPv6 an address grows: the bound may be passed by a header that just kept it.
  if (!parsed && size > kProxyV2Bytes) return;
  CHECK(parsed && *parsed == size);
  CHECK(facts.alpn == again.alpn && facts.authority == again.authority);
  CHECK(facts.unique_id == again.unique_id);
  if (facts.kind != ProxyFacts::Kind::kIp) return;
  CHECK(facts.source == again.source && facts.source_port == again.source_port);
  CHECK(facts.destination == again.destination);
  CHECK(facts.destination_port == again.destination_port);
}

void run(std::string_view text) {
  ProxyFacts facts;
  const Result<size_t> whole = parse_proxy_header(text, facts);
  if (whole && *whole == 0) CHECK(text.size() < kProxyV2Bytes);
  CHECK(!whole || *whole <= text.size());
  if (whole) CHECK(begins_proxy_header(text));
  // Piece by piece: "more" until it is decided, and then the same.
  for (size_t cut = 0; cut <= text.size() && cut < 300; ++cut) {
    ProxyFacts part;
    const Result<size_t> parsed = parse_proxy_header(text.substr(0, cut), part);
    if (parsed && *parsed == 0) continue;
    CHECK(parsed.has_value() == whole.has_value());
    if (parsed) CHECK(*parsed == *whole);
    break;
  }
  if (whole && *whole > 0) check_rewritten(facts);
}

}  // namespace
}  // namespace weir::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::http::run(weir::http::as_text(data, size));
  return 0;
}
