# The demo portal with the SDK that it embeds. From the checkout's root:
# docker build -f deploy/docker/portal.Dockerfile -t bedside-portal .

FROM node:22.23.3-bookworm AS manifests
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY protocol/package.json protocol/
COPY service/package.json service/
COPY sfu/package.json sfu/
COPY signaling/package.json signaling/
COPY sdk/package.json sdk/
COPY examples/portal/package.json examples/portal/
COPY load-tests/package.json load-tests/

# With the root's tools, of which the SDK's build needs TypeScript.
FROM manifests AS sdk
RUN npm ci --ignore-scripts --no-audit --no-fund --include-workspace-root \
      --workspace @bedside/sdk --workspace @bedside/protocol
COPY tsconfig.json ./
COPY protocol/src protocol/src
COPY sdk/build.ts sdk/bundle-plugins.ts sdk/flatten-types.ts sdk/mediasoup-events.ts sdk/tsconfig.types.json sdk/
COPY sdk/src sdk/src
RUN node sdk/build.ts

FROM manifests AS dependencies
RUN npm ci --ignore-scripts --omit=dev --no-audit --no-fund \
      --workspace @bedside/example-portal --workspace @bedside/protocol

FROM node:22.23.3-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production \
    PORTAL_HOST=0.0.0.0
COPY --from=dependencies /app/package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY protocol/package.json protocol/
COPY protocol/src protocol/src
COPY sdk/package.json sdk/
COPY --from=sdk /app/sdk/dist sdk/dist
COPY examples/portal examples/portal
USER node
EXPOSE 8080
CMD ["node", "examples/portal/server.ts"]
