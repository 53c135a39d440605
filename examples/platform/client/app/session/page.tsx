import type { Metadata } from "next";
import { Suspense } from "react";
import { SessionPage } from "@/components/session/session-page";
import { Loading } from "@/components/ui/states";

export const metadata: Metadata = { title: "Video" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <SessionPage />
    </Suspense>
  );
}
