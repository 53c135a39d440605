import type { NextConfig } from "next";

/** The platform to develop against: `GATEWAY=http://127.0.0.1:8080 npm run dev` hands the API's routes on to it. */
const gateway = process.env.GATEWAY;

/** A static export with one folder per page, so that any file server (here the gateway) can serve it. */
const config: NextConfig = {
  ...(gateway
    ? {
        rewrites: async () => [{ source: "/v1/:path*", destination: `${gateway}/v1/:path*` }],
        skipTrailingSlashRedirect: true,
      }
    : { output: "export" }),
  trailingSlash: true,
  reactStrictMode: true,
  poweredByHeader: false,
  images: { unoptimized: true },
  // `npm run typecheck` checks everything, tests too, before this build.
  typescript: { ignoreBuildErrors: true },
};

export default config;
