// SPDX-License-Identifier: Apache-2.0
// Keys of the tag that names a request's home cell, and of putting it on calls out.
#include <algorithm>

#include "config/http_words.h"
#include "config/keys.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

// A cookie's name is a token (RFC 6265, 4.1.1), as a header's is, but its case counts.
ScalarPtr<std::string> cookie_name() {
  return checked_text("cookie name", [](const std::string& text) -> Parsed<std::string> {
    const bool token = !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
             c == '-' || c == '_' || c == '.';
    });
    if (token) return text;
    return std::unexpected(
        Finding{"not a cookie name", "write 1 to 64 letters, digits and the characters . _ -"});
  });
}

}  // namespace

CodecPtr<CellTagConfig> cell_tag_section() {
  using S = CellTagConfig;
  return section<S>(
      {
          key("header", &S::header, editable_header_name(),
              "The header that carries the tag, both ways."),
          key("response_header", &S::response_header, boolean(),
              "Whether clients are told their tag in the response's header."),
          key("cookie", &S::cookie, word_or("null", cookie_name()),
              "A cookie that keeps the tag in browsers; null for none."),
          key("trust", &S::trust,
              enumeration<TagTrust>({{"none", TagTrust::kNone},
                                     {"signed", TagTrust::kSigned},
                                     {"any", TagTrust::kAny}}),
              "Which tags are believed: none, those that are signed, or any of a trusted peer's."),
          key("keys_file", &S::keys_file, word_or("null", nonempty_text()),
              "Lines of `ID HEX`, read at every load: the first key signs, all verify."),
          key("ttl", &S::ttl,
              duration(Zero::kRefused, std::chrono::minutes{1}, std::chrono::hours{24 * 400}),
              "How long a signed tag and the cookie are good for; renewed when half is over."),
      },
      [](Reader& reader, NodeId id, S& tag) {
        const bool is_signed = tag.trust == TagTrust::kSigned;
        if (is_signed && tag.keys_file.empty()) {
          reader.error(id, {"`trust: signed` needs `keys_file`",
                            "make one with: echo \"k1 $(openssl rand -hex 32)\" > cell.keys"});
        } else if (!is_signed && !tag.keys_file.empty()) {
          const Reader::Step step(reader, "keys_file");
          reader.error(reader.find(id, "keys_file"),
                       {"has no meaning without `trust: signed`", "add trust: signed"});
        }
      });
}

CodecPtr<CellReattachConfig> cell_reattach_section() {
  using S = CellReattachConfig;
  constexpr std::uint32_t kMostEntries = 1'000'000;
  return section<S>({
      key("listeners", &S::listeners, list_of(name(), Repeats::kRefused),
          "Listeners by which the application makes its calls; an empty list is off."),
      key("entries", &S::entries, count<std::uint32_t>(8, kMostEntries),
          "Traces that are known at once, some 320 bytes each."),
      key("ttl", &S::ttl, duration(Zero::kRefused, std::chrono::seconds{1}, std::chrono::hours{24}),
          "How long after its last request has ended a trace is known."),
  });
}

}  // namespace weir::config
