# syntax=docker/dockerfile:1
# One image, two roles; the arguments choose: `api …` or `worker …` (infra/modules, `launcher --help`).

# Spin 4.1 or newer: the components speak WASI 0.3.0, which 4.0 does not.
ARG SPIN_VERSION=v4.1.0
ARG RUST_VERSION=1.95.0
ARG NODE_VERSION=22

# The API reference's assets, which are too large to be part of the component.
FROM node:${NODE_VERSION}-bookworm-slim AS pages
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY web web
RUN node web/vendor.mjs

# The components and the launcher. Alpine's target is musl, so the launcher runs without any libraries.
FROM rust:${RUST_VERSION}-alpine AS build
RUN apk add --no-cache musl-dev && rustup target add wasm32-wasip2
WORKDIR /src
COPY . .
RUN cargo build --locked --release --target wasm32-wasip2 --package api-component --package worker-component
RUN cargo build --locked --release --package launcher

# No shell, no package manager: Spin is one static binary.
FROM ghcr.io/spinframework/spin:${SPIN_VERSION}-distroless
WORKDIR /app
# The manifest names the components by their place in the build folder.
COPY spin.toml runtime-config.toml ./
COPY --from=build /src/target/wasm32-wasip2/release/api_component.wasm /src/target/wasm32-wasip2/release/worker_component.wasm target/wasm32-wasip2/release/
COPY --from=pages /src/web/vendor web/vendor
COPY --from=build /src/target/release/launcher /usr/local/bin/launcher
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/launcher"]
