// SPDX-License-Identifier: Apache-2.0
// An HTTP/2 session with a user that writes down what it is told, for the unit tests and the fuzz
// targets; hand-made frames; and a pair of sessions that speak to each other in memory.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "http/h2_session.h"

namespace weir::http {

class H2Peer;

/// A stream that writes events as text, one a line.
class H2TestStream final : public H2Stream {
 public:
  explicit H2TestStream(H2Peer& peer);
  ~H2TestStream();

  base::Arena& h2_arena() override { return arena; }
  base::Account& h2_account() override { return account; }
  void on_request(const RequestHead& head) override;
  void on_bad_request(const Error& error) override;
  void on_interim(const ResponseHead& head) override;
  void on_response(const ResponseHead& head) override;
  void on_bad_response(const Error& error) override;
  void on_data(std::string_view bytes) override;
  void on_end(const HeaderList& trailers) override;
  void on_reset(H2Error code) override;
  void on_drained() override;

  H2Peer& peer;
  base::Account account;
  base::BlockPool pool{4096, 4};
  base::Arena arena{pool, account};
  std::string events;
  std::string body;
  std::string fields;    ///< Of the head: "name: value\n", as received.
  std::string trailers;  ///< The same.
  RequestHead request;
  ResponseHead response;
  bool ended = false;
  bool reset = false;
  bool consume_at_once = true;

 private:
  void note(const std::string& what);
};

/// One end: session, its streams, and what the connection as a whole was told.
class H2Peer : public H2SessionHandler {
 public:
  explicit H2Peer(H2Session::Role role, const H2Options& options = {});
  virtual ~H2Peer();

  H2Stream* on_stream_open() override;
  void on_goaway() override { events += "goaway\n"; }
  void on_settings() override { events += "settings\n"; }
  void on_glitch() override { ++glitch_events; }

  /// Everything that can be framed now.
  std::string pull(size_t limit = 1 << 20);
  /// A stream of the client's, not opened yet.
  H2TestStream& make_stream();
  /// All events of all streams, in the order of the streams' birth.
  std::string all_events() const;

  base::Account account;
  base::BlockPool blocks{16384, 8};
  H2Session session;
  std::deque<std::unique_ptr<H2TestStream>> streams;
  std::string events;
  uint32_t glitch_events = 0;
  bool refuse = false;
  /// Called at each event of each stream, if set.
  std::function<void(H2TestStream&, std::string_view)> on_event;
};

/// Two peers that are connected.
struct H2Pair {
  explicit H2Pair(const H2Options& server_options = {}, const H2Options& client_options = {});
  /// Carries bytes both ways until both are silent.
  void run();

  H2Peer client;
  H2Peer server;
  Result<void> client_fed;
  Result<void> server_fed;
};

// ---- Frames by hand.

enum H2FrameType : uint8_t {
  kDataFrame,
  kHeadersFrame,
  kPriorityFrame,
  kResetFrame,
  kSettingsFrame,
  kPushFrame,
  kPingFrame,
  kGoAwayFrame,
  kWindowFrame,
  kContinuationFrame,
  kPriorityUpdateFrame = 0x10,
};
inline constexpr uint8_t kEndStream = 1;
inline constexpr uint8_t kAck = 1;
inline constexpr uint8_t kEndHeaders = 4;
inline constexpr uint8_t kPadded = 8;

std::string h2_frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload);
std::string h2_u32(uint32_t value);
/// One literal field without indexing, its name spelled out.
std::string h2_field(std::string_view name, std::string_view value);
using H2FieldList = std::vector<std::pair<std::string, std::string>>;
std::string h2_block(const H2FieldList& fields);
/// A complete HEADERS frame.
std::string h2_headers(uint32_t stream, const H2FieldList& fields, uint8_t flags = kEndStream);
/// The preface of a client and its empty SETTINGS.
std::string h2_preface();

struct H2Frame {
  uint8_t type = 0;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload;
  /// Of RST_STREAM, or GOAWAY (`at` 4).
  uint32_t word(size_t at = 0) const;
};
std::vector<H2Frame> h2_frames(std::string_view bytes);
/// "HEADERS 1 END_STREAM", "RST_STREAM 3 8" and so on, one a line; SETTINGS left out.
std::string h2_describe(std::string_view bytes);

RequestHead h2_get(std::string_view path = "/");

}  // namespace weir::http
