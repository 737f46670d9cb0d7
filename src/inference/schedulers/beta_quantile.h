#pragma once

namespace ssd1b {

/// The quantile function of the beta distribution with both shapes `shape`: the x in [0, 1] below
/// which a share `probability` of it lies. Good to about 1e-14.
double symmetric_beta_quantile(double probability, double shape);

}  // namespace ssd1b
