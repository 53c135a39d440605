import type { Metadata } from "next";
import { Suspense } from "react";
import { People } from "@/components/people/people";
import { Loading } from "@/components/ui/states";

export const metadata: Metadata = { title: "People" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <People />
    </Suspense>
  );
}
