// SPDX-License-Identifier: Apache-2.0
// One HTTP/1.1 connection to the admin pages: heads and bodies read with http/'s strict parsers,
// one request at a time, answers with Content-Length and keep-alive. Not the data path: it holds
// whole answers as strings; what it reads is bounded, and so is how long it waits.
// Thread: the control loop's. Owned by Server; ends by telling it, never from inside its own call.
#pragma once

#include <cstdint>
#include <string>

#include "admin/router.h"
#include "base/block.h"
#include "http/body_reader.h"
#include "net/loop.h"
#include "net/socket.h"

namespace weir::admin {

class Server;

class Connection final : public net::SocketHandler, public net::Retirable {
 public:
  Connection(Server& server, uint64_t id, Door door);
  /// False if the kernel refuses the descriptor, which is closed then.
  bool open(int fd);
  /// The answer to the request that was handed to the router.
  void answer(Response response);
  /// Closes at once; the memory goes with the turn. The server has let go of it.
  void shut();

  uint64_t id() const { return id_; }

 private:
  enum class State : uint8_t {
    kHead,     ///< Reading a head, or idle between requests.
    kBody,     ///< Reading the body of `request_`, which no page wants: it is dropped.
    kWaiting,  ///< The router has the request; nothing is read.
    kWriting,  ///< `out_` is on its way.
  };

  // net::SocketHandler
  void on_socket() override;

  void on_timeout();
  /// Each step says whether another may follow; false: wait for the socket or the router.
  bool step();
  bool read_more();
  bool take_head();
  bool take_body();
  bool write();
  void submit();
  void refuse(const Error& error);
  void queue(const Response& response);

  Server& server_;
  const uint64_t id_;
  const Door door_;
  std::string who_;
  State state_ = State::kHead;
  bool keep_alive_ = true;
  bool head_only_ = false;
  bool ended_ = false;  ///< The peer sends no more.
  net::Socket socket_;
  net::Timer timer_;
  std::string in_;
  size_t searched_ = 0;
  size_t body_bytes_ = 0;
  http::BodyReader body_;
  Request request_;
  std::string out_;
  size_t written_ = 0;
};

}  // namespace weir::admin
