# The gateway. From the checkout's root: docker build -f deploy/docker/gateway.Dockerfile -t bedside-gateway .
# Debian, because uWebSockets.js needs glibc (docs/adr/0005-uws-pack.md).

FROM node:22.23.3-bookworm AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY protocol/package.json protocol/
COPY service/package.json service/
COPY sfu/package.json sfu/
COPY signaling/package.json signaling/
COPY sdk/package.json sdk/
COPY examples/portal/package.json examples/portal/
COPY load-tests/package.json load-tests/
RUN npm ci --ignore-scripts --omit=dev --no-audit --no-fund \
      --workspace @bedside/signaling --workspace @bedside/protocol --workspace @bedside/service

FROM node:22.23.3-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production \
    BEDSIDE_GATEWAY_HOST=0.0.0.0
COPY --from=dependencies /app/package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY protocol/package.json protocol/
COPY protocol/src protocol/src
COPY service/package.json service/
COPY service/src service/src
COPY signaling/package.json signaling/
COPY signaling/src signaling/src
USER node
# 7000 clients and /v1, 7001 health and metrics.
EXPOSE 7000 7001
# The small young generation: see "Memory" in docs/operations.md.
CMD ["node", "--max-semi-space-size=2", "--heap-growing-percent=20", "signaling/src/main.ts"]
