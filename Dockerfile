# One image for the four services: which one runs is the command's to say, see docker-compose.yml.
FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY .swcrc nest-cli.json tsconfig.json ./
COPY scripts scripts
COPY libs libs
COPY apps apps
RUN npm run build

# Optional packages are the embedded Postgres: here it has a container of its own.
FROM node:20-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional && npm cache clean --force

FROM node:20-bookworm-slim
ENV NODE_ENV=production \
    SLUICE_HOST=0.0.0.0 \
    PORT=3000
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json pipeline_config.yml LICENSE ./
COPY bin bin
COPY scripts/migrate.mjs scripts/migrate.mjs
COPY deploy/docker/probe.mjs deploy/docker/probe.mjs
USER node
EXPOSE 3000
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "deploy/docker/probe.mjs"]
CMD ["node", "dist/apps/gateway/src/main.js"]
