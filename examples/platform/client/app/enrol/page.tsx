import type { Metadata } from "next";
import { Suspense } from "react";
import { Enrol } from "@/components/enrol/enrol";
import { Loading } from "@/components/ui/states";

export const metadata: Metadata = { title: "Enrol" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <Enrol />
    </Suspense>
  );
}
