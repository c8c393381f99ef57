// SPDX-License-Identifier: Apache-2.0
#include "upstream/worker_port.h"

#include <utility>

#include "net/loop.h"
#include "upstream/cluster.h"
#include "upstream/worker_cluster.h"

namespace weir::upstream {

ConnectionPlace::~ConnectionPlace() {
  if (cluster_ != nullptr) cluster_->release_connection();
}

void WorkerPort::post_refresh() {
  loop_.post([port = shared_from_this()] {
    if (port->view != nullptr) port->view->refresh();
  });
}

void WorkerPort::post_place(ConnectionPlace place) {
  loop_.post([port = shared_from_this(), place = std::move(place)]() mutable {
    if (port->view != nullptr) port->view->on_place_granted(std::move(place));
  });
}

void WorkerPort::post_serve() {
  loop_.post([port = shared_from_this()] {
    if (port->view != nullptr) port->view->serve_waiters();
  });
}

void WorkerPort::post_shed_idle() {
  loop_.post([port = shared_from_this()] {
    if (port->view != nullptr) port->view->pool_.close_oldest();
  });
}

}  // namespace weir::upstream
