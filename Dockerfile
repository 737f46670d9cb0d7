# The service in one image.
#
#   docker build -t ssd1b-server .                               # CPU
#   docker build -t ssd1b-server:cuda --build-arg DEVICE=cuda .  # CUDA
ARG DEVICE=cpu

FROM debian:bookworm-slim AS build
ARG DEVICE
ARG COMMIT=unknown
ENV SSD1B_CACHE=/cache
WORKDIR /source
COPY scripts scripts
RUN scripts/setup ${DEVICE}
COPY . .
RUN cmake -S . -B build -G Ninja -DSSD1B_TESTS=OFF -DSSD1B_COMMIT=${COMMIT} && \
    cmake --build build --parallel "$(bash -c 'source scripts/lib.sh; jobs')" && \
    docker/collect.sh ${DEVICE} build /image

# What both kinds have in common.
FROM debian:bookworm-slim AS base
RUN apt-get update && \
    apt-get install -y --no-install-recommends libfmt9 libprometheus-cpp-core1.0 libutf8proc2 libdeflate0 \
      libwebp7 libwebpmux3 libturbojpeg0 libssl3 zlib1g && \
    rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
COPY --from=build /image /
ENV SSD1B_HOST=0.0.0.0
USER 10001:10001
WORKDIR /
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=10m \
  CMD ["/usr/local/bin/ssd1b-server", "--healthcheck"]
ENTRYPOINT ["/usr/local/bin/ssd1b-server"]

FROM base AS image-cpu

FROM base AS image-cuda
# The NVIDIA container runtime gives the driver to containers that ask for it.
ENV SSD1B_DEVICE=cuda NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM image-${DEVICE}
