// SPDX-License-Identifier: Apache-2.0
// One connection of the demo origin: reads a head and its body, waits as told, answers, and again.
// Constant memory whatever the sizes: request bodies are counted and dropped, large answers are
// made piece by piece as the socket takes them. One thread; owned by Origin.
#pragma once

#include <cstdint>
#include <string>

#include "app/origin_request.h"
#include "http/body_reader.h"
#include "net/loop.h"
#include "net/socket.h"

namespace weir::app {

class Origin;

class OriginConnection final : public net::SocketHandler, public net::Retirable {
 public:
  OriginConnection(Origin& origin, uint64_t id);
  /// False if the kernel refuses the descriptor, which is closed then.
  bool open(int fd);
  /// Closes at once; the memory goes with the turn. The origin has let go of it.
  void shut();

  uint64_t id() const { return id_; }

 private:
  enum class State : uint8_t {
    kHead,     ///< Reading a head, or idle.
    kBody,     ///< Reading and dropping the request's body.
    kDelay,    ///< The timer runs; nothing is read.
    kWriting,  ///< The answer is on its way.
    kClosing,  ///< All is said; what still comes is read and dropped until the client ends.
  };

  // net::SocketHandler
  void on_socket() override;

  void on_timer();
  bool step();
  bool read_more();
  bool take_head();
  bool take_body();
  bool drop_rest();
  void refuse(const Error& error);
  void accept_request(const RequestHead& head);
  void body_done();
  void begin_answer();
  void queue_head(uint64_t length);
  void refill();
  bool write();
  bool end_answer();

  Origin& origin_;
  const uint64_t id_;
  State state_ = State::kHead;
  net::Socket socket_;
  net::Timer timer_;
  uint64_t requests_ = 0;

  std::string in_;
  size_t searched_ = 0;
  bool ended_ = false;   ///< The peer sends no more.
  bool broken_ = false;  ///< Close without another word.

  http::BodyReader body_;
  OriginOrder order_;
  bool keep_alive_ = true;
  bool bodiless_ = false;    ///< HEAD, 204, 304.
  bool old_client_ = false;  ///< HTTP/1.0: no chunks.
  std::string text_;         ///< The body, where no size was asked for.

  std::string out_;
  size_t written_ = 0;
  uint64_t letters_left_ = 0;  ///< Of a body of letters, still to be put into out_.
  bool last_chunk_due_ = false;
};

}  // namespace weir::app
