#pragma once

#include "inference/layers/tick.h"
#include "inference/weights/bind.h"

namespace ssd1b {

/// Brings the filled weights of a network's products into the form in which this CPU multiplies
/// fastest and frees their values, one after another. Call it once the parameters are filled, and
/// again whenever they are filled anew. Weights on other devices, or of a dtype that has no faster
/// form here, stay as they are. Ticks after each.
void arrange_weights(const ParameterWalk& walk, const Tick& tick);

}  // namespace ssd1b
