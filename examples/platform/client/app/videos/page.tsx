import type { Metadata } from "next";
import { Suspense } from "react";
import { Loading } from "@/components/ui/states";
import { Videos } from "@/components/videos/videos";

export const metadata: Metadata = { title: "Videos" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <Videos />
    </Suspense>
  );
}
