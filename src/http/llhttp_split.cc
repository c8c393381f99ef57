// SPDX-License-Identifier: Apache-2.0
#include "http/llhttp_split.h"

#include <llhttp.h>

#include "http/scan.h"

namespace weir::http {
namespace {

struct Collector {
  std::string_view line;  // request target or reason phrase
  HeaderList* headers;
  bool full = false;
};

Collector& collector(llhttp_t* parser) { return *static_cast<Collector*>(parser->data); }

// Of one head in one piece llhttp gives each span at once; a second piece would not tile and is
// refused by check_tiling().
int on_line(llhttp_t* parser, const char* at, size_t length) {
  collector(parser).line = {at, length};
  return 0;
}

int on_field(llhttp_t* parser, const char* at, size_t length) {
  Collector& to = collector(parser);
  to.full |= !to.headers->push({{at, length}, {at + length, 0}});
  return 0;
}

int on_value(llhttp_t* parser, const char* at, size_t length) {
  Collector& to = collector(parser);
  if (to.headers->size() > 0) (to.headers->end() - 1)->value = {at, length};
  return 0;
}

int on_head(llhttp_t*) { return HPE_PAUSED; }

llhttp_settings_t make_settings(bool request) {
  llhttp_settings_t settings{};
  (request ? settings.on_url : settings.on_status) = on_line;
  settings.on_header_field = on_field;
  settings.on_header_value = on_value;
  settings.on_headers_complete = on_head;
  return settings;
}
const llhttp_settings_t kRequestSettings = make_settings(true);
const llhttp_settings_t kResponseSettings = make_settings(false);

ErrorCode request_error(llhttp_errno_t error) {
  switch (error) {
    case HPE_INVALID_METHOD:
      return ErrorCode::kBadMethod;
    case HPE_INVALID_URL:
      return ErrorCode::kBadTarget;
    case HPE_INVALID_VERSION:
      return ErrorCode::kBadVersion;
    case HPE_INVALID_CONSTANT:
      return ErrorCode::kBadRequestLine;
    case HPE_UNEXPECTED_CONTENT_LENGTH:
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_INVALID_TRANSFER_ENCODING:
      return ErrorCode::kBadFraming;
    default:
      return ErrorCode::kBadHeader;
  }
}

ErrorCode response_error(llhttp_errno_t error) {
  ErrorCode code = request_error(error);
  return code == ErrorCode::kBadFraming ? ErrorCode::kUpstreamBadFraming
                                        : ErrorCode::kUpstreamBadHead;
}

/// The detail is llhttp's own reason, which is static text.
Result<void> finish(llhttp_t& parser, llhttp_errno_t error, std::string_view head,
                    const Collector& got) {
  bool request = parser.type == HTTP_REQUEST;
  if (error != HPE_PAUSED) {
    return fail(request ? request_error(error) : response_error(error),
                error == HPE_OK ? "head ends early" : llhttp_get_error_reason(&parser));
  }
  // A head that llhttp ends elsewhere than weir is one with two meanings.
  bool whole = llhttp_get_error_pos(&parser) == head.data() + head.size();
  if (whole && !got.full) return {};
  return fail(request ? ErrorCode::kBadHeader : ErrorCode::kUpstreamBadHead, "head ends early");
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

Result<void> split_request(std::string_view head, size_t method_bytes, bool known_method,
                           std::string_view& target, HeaderList& headers) {
  Collector to{{}, &headers};
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &kRequestSettings);
  parser.data = &to;
  llhttp_errno_t error = HPE_OK;
  std::string_view rest = head;
  if (!known_method) {
    error = llhttp_execute(&parser, "GET", 3);
    rest.remove_prefix(method_bytes);
  }
  if (error == HPE_OK) error = llhttp_execute(&parser, rest.data(), rest.size());
  target = to.line;
  return finish(parser, error, head, to);
}

Result<void> split_response(std::string_view head, std::string_view& reason, HeaderList& headers) {
  Collector to{{}, &headers};
  llhttp_t parser;
  llhttp_init(&parser, HTTP_RESPONSE, &kResponseSettings);
  parser.data = &to;
  llhttp_errno_t error = llhttp_execute(&parser, head.data(), head.size());
  reason = to.line;
  return finish(parser, error, head, to);
}

Result<HeaderList> make_header_list(std::string_view text, const HeadLimits& limits,
                                    MessageKind kind, base::Arena& arena) {
  // Lines but the first and the empty one.
  size_t lines = count_lines(text);
  size_t fields = lines < 2 ? 0 : lines - 2;
  if (fields > limits.max_headers) {
    return fail(kind == MessageKind::kRequest ? ErrorCode::kTooManyHeaders
                                              : ErrorCode::kUpstreamHeadTooLarge,
                "too many fields");
  }
  size_t capacity = fields + kHeaderHeadroom;
  return HeaderList(arena.unset_array<Header>(capacity), capacity);
}

const char* check_tiling(std::string_view text, const char* first, HeaderList& headers) {
  const char* at = first;
  const char* end = text.data() + text.size();
  for (Header& header : headers) {
    if (header.name.data() != at || header.name.empty()) return "field out of place";
    const char* value = at + header.name.size();
    if (value >= end || *value != ':') return "no colon after the field name";
    for (++value; value < end && is_blank(*value);) ++value;
    if (header.value.empty()) {
      header.value = {value, 0};
    } else if (header.value.data() != value) {
      return "value out of place";
    }
    at = value + header.value.size();
    while (!header.value.empty() && is_blank(header.value.back())) header.value.remove_suffix(1);
    while (at < end && is_blank(*at)) ++at;
    if (end - at < 2 || at[0] != '\r' || at[1] != '\n') return "value out of place";
    at += 2;
  }
  bool ends = end - at == 2 && at[0] == '\r' && at[1] == '\n';
  return ends ? nullptr : "field out of place";
}

}  // namespace weir::http
