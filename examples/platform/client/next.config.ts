import type { NextConfig } from "next";

/** A static export with one folder per page, so that any file server (here the gateway) can serve it. */
const config: NextConfig = {
  output: "export",
  trailingSlash: true,
  reactStrictMode: true,
  poweredByHeader: false,
  images: { unoptimized: true },
  // `npm run typecheck` checks everything, tests too, before this build.
  typescript: { ignoreBuildErrors: true },
};

export default config;
