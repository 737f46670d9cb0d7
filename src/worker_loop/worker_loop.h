#pragma once

#include <functional>
#include <memory>

#include "ssd1b/engine.h"

namespace ssd1b {

/// Opens the engine, on the thread that will own it; `tick` is to be called after every block of
/// every network and while loading. Throws Error: BadModel, NoDevice, Usage.
using OpenEngine = std::function<std::unique_ptr<Engine>(std::function<void()> tick)>;

/// The life of a worker process: opens the engine, makes one small picture, then makes what the
/// server at the other end of the socket pair asks for. Takes the descriptor over. Blocks; returns
/// the exit status after the server's Stop (0) or where the engine could not be opened (65, 69,
/// ...).
///
/// Does not return, but ends the process at once: 0 at the end of the stream (a worker never
/// outlives its server), 70 when the device is lost or the server's bytes are garbled.
int run_worker(int descriptor, const OpenEngine& open_engine);

}  // namespace ssd1b
