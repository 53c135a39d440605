import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";
import { Shell } from "@/components/shell/shell";
import "@fontsource-variable/inter/wght.css";
import "@/styles/base.css";
import "@/styles/parts.css";
import "@/styles/shell.css";
import "@/styles/pages.css";
import "@/styles/session.css";

export const metadata: Metadata = {
  title: { default: "facerec", template: "%s · facerec" },
  description: "People, photos and videos of a facerec platform",
  referrer: "no-referrer",
  robots: { index: false, follow: false },
};

export const viewport: Viewport = {
  width: "device-width",
  initialScale: 1,
  colorScheme: "light dark",
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#f5f6f4" },
    { media: "(prefers-color-scheme: dark)", color: "#111614" },
  ],
};

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <noscript>This page needs JavaScript.</noscript>
        <Shell>{children}</Shell>
      </body>
    </html>
  );
}
