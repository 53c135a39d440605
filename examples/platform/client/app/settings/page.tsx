import type { Metadata } from "next";
import { Suspense } from "react";
import { Settings } from "@/components/settings/settings";
import { Loading } from "@/components/ui/states";

export const metadata: Metadata = { title: "Settings" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <Settings />
    </Suspense>
  );
}
